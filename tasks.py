"""The tasks of this repository: those of stackproof, and nothing else; see `invoke --list`."""

from stackproof.tasks import namespace

ns = namespace()
