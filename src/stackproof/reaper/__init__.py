"""The reaper ends a run when its owner dies, and removes all that the run has made."""
