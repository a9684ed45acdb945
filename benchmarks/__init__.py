"""Measurements as ratios against a floor in the same run; see README.md beside this file."""
