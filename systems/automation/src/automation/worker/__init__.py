"""Runs the programs of packs, each in the virtualenv of its pack."""
