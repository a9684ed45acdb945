"""A guarded port: only this user, root and the run itself reach a server through it."""
