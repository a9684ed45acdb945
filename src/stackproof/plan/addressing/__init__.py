"""Names, ports and paths of containers, and what stands for each on this machine."""
