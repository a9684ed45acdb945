"""Why a call is not answered, in words for the one who has made it."""

from __future__ import annotations


class InvalidCallError(Exception):
    """The caller's mistake: an unknown tool, a missing or wrong argument."""


class ToolFailedError(Exception):
    """A tool can't answer.

    Attributes:
        code: A short name of the reason.
        provider: The provider that has failed, or "".
        retry_after: Seconds after which the provider wants to be asked again, or None.
    """

    def __init__(
        self, code: str, message: str, *, provider: str = "", retry_after: float | None = None
    ) -> None:
        self.code, self.provider, self.retry_after = code, provider, retry_after
        super().__init__(message)

    def told(self) -> dict[str, object]:
        """What the caller is told."""
        found: dict[str, object] = {"code": self.code, "message": str(self)}
        if self.provider:
            found["provider"] = self.provider
        if self.retry_after is not None:
            found["retry_after"] = self.retry_after
        return found
