"""Runs: a service that evaluates language models against datasets."""
