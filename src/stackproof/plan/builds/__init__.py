"""Builds that the process engine does itself: the stages of a Dockerfile as steps in rooms."""
