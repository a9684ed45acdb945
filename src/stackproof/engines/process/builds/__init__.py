"""Builds images without containers: each step of a Dockerfile in a room, each result a layer."""
