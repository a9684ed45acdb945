"""Addresses in environments and commands: how they are read, and what they become."""
