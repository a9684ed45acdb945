"""The isolation receipt: what a service could do to its surroundings, tried from inside."""
