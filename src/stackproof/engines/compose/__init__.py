"""The compose engine: services as containers of a Docker Engine."""
