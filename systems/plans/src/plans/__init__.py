"""Plans: a service that works a prompt into a plan, one model call after the other."""
