"""What each service sees in a private world: its names, addresses, files and user."""
