"""Probes that show a service is ready, how each is asked, and the one loop that waits."""
