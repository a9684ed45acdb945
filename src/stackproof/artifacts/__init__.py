"""What stays of a run: its folder, logs, timeline and the coverage of its services."""
