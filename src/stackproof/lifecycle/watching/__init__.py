"""A stack that follows its files: what has changed is started anew as soon as it is saved."""

from stackproof.lifecycle.watching.events import require_events
from stackproof.lifecycle.watching.loop import watch

__all__ = ["require_events", "watch"]
