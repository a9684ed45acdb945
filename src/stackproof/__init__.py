"""A disposable copy of a whole system, and the proof that it works."""
