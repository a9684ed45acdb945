"""What the clients of OpenAI and Anthropic raise, in one form: one generator makes both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memory.refusals import ToolFailedError


def failed(
    provider: str, message: str, code: str = "PROVIDER_FAILED", **more: Any
) -> ToolFailedError:
    """A failure of a provider.

    Args:
        provider: Its name.
        message: What has failed.
        code: A short name of the reason.
        **more: `retry_after` in seconds.
    """
    return ToolFailedError(code, f"{provider}: {message}", provider=provider, **more)


def seconds(header: str | None) -> float | None:
    """Seconds of a `Retry-After` header; None where it has none."""
    return float(header) if header and header.replace(".", "", 1).isdigit() else None


@contextmanager
def told_errors(provider: str, sdk: Any, base: type[Exception]) -> Iterator[None]:
    """Tell of a client's exceptions in one form.

    Args:
        provider: Name of the provider.
        sdk: The client's module, `openai` or `anthropic`.
        base: Class of all its exceptions.

    Raises:
        ToolFailedError: For each of them.
    """
    try:
        yield
    except sdk.APIStatusError as error:
        raise failed(
            provider,
            f"status {error.status_code}: {error.message}",
            f"STATUS_{error.status_code}",
            retry_after=seconds(error.response.headers.get("retry-after")),
        ) from error
    except sdk.APITimeoutError as error:
        raise failed(provider, "no answer in time", "TIMEOUT") from error
    except sdk.APIConnectionError as error:
        raise failed(provider, f"the connection has failed: {error.__cause__ or error}") from error
    except base as error:
        raise failed(provider, str(error) or type(error).__name__) from error
    except ValueError as error:  # the clients let broken JSON through
        raise failed(provider, f"the answer is broken: {error}") from error
