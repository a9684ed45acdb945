"""Probes that show a service is ready, and how each is asked."""
