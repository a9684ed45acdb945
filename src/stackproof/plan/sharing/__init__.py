"""Servers that several stacks share: what can be shared, and what each stack gets of one."""
