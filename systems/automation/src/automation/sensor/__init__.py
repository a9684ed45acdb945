"""Tells events: of timers, and of the sensors that packs bring."""
