"""Makes images in stages, directly or through a queue, in one process."""
