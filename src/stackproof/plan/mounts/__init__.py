"""What each mount of a service becomes, so that nobody's data but the run's are written to."""
