"""The pytest plugin: fixtures, markers, and what a failing test leaves behind."""
