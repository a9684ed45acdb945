"""Reads what people write as YAML, strictly: each value knows its key, its file and its line."""
