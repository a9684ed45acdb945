"""Event-driven automation: sensor, trigger, event, rule, enforcement, execution, notification."""
