"""Engines turn a plan into running services: processes, containers, or what already runs."""
