"""Decides what is done: what follows an event, an enforcement, a request, an end."""
