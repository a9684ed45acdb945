"""Virtualenvs of Python services: the interpreter, what is installed, what each project adds."""
