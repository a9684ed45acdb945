"""Suites as lists of steps, their provider of models, and the flake meter."""
