"""What a Python service runs with: its version of Python, and what its image would install."""
