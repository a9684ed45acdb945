"""Warm starts: services forked from a process that has their packages imported already."""
