"""The process engine: services as local processes below a supervisor, without Docker."""
