"""`stackproof init`: what a repository needs so that its own stack runs, proposed and written.

1. `compose_files`: which Compose files there are, and what the stack is called.
2. `source_trees`: what the folders of its services hold.
3. `verdicts`: which engine runs which service, and why not: the planner's own refusals.
4. `renaming`, `ports`, `commands`, `workers`, `providers`: how the copy differs.
5. `proposal`: all of it, as files with their contents.
6. `changes`: what becomes of each file beside the one that is there.
7. `command`: shows it, asks, and writes.
"""
