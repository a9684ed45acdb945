"""Stacks for one test each: snapshots, the pool that starts them ahead, shared servers."""
