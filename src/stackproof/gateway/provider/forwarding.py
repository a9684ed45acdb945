"""Requests to the real provider, with its key in place of the client's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackproof.gateway.call import Call

if TYPE_CHECKING:
    import httpx

TIMEOUT = 600.0
"""Seconds, as the official clients wait by default."""

CONNECT_TIMEOUT = 10.0
FORWARDED = ("accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta",
             "user-agent")  # fmt: skip


@dataclass(frozen=True)
class Upstream:
    """Where a provider is.

    Attributes:
        openai: Base URL with `/v1`.
        openai_key: Its key.
        anthropic: Base URL with `/v1`.
        anthropic_key: Its key.
    """

    openai: str = "https://api.openai.com/v1"
    openai_key: str = ""
    anthropic: str = "https://api.anthropic.com/v1"
    anthropic_key: str = ""


class Forwarder:
    """Sends requests to the provider.

    Args:
        upstream: Where it is.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._http: httpx.AsyncClient | None = None

    def missing_key(self, *, anthropic: bool) -> bool:
        """Whether there is no key for a dialect."""
        return not (self._upstream.anthropic_key if anthropic else self._upstream.openai_key)

    async def send(
        self, method: str, path: str, data: bytes, headers: dict[str, str], *, anthropic: bool
    ) -> httpx.Response:
        """Send a request; the answer's body is still to be read, and the answer to be closed.

        Args:
            method: HTTP method.
            path: Path from `/v1` on, with its query.
            data: The body.
            headers: Further headers.
            anthropic: Which provider.

        Raises:
            httpx.HTTPError: If the provider does not answer.
        """
        import httpx  # only where somebody is asked: it takes a third of the gateway's start

        if self._http is None:
            timeout = httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT)
            self._http = httpx.AsyncClient(
                timeout=timeout, limits=httpx.Limits(max_connections=200)
            )
        base, key = (
            (self._upstream.anthropic, self._upstream.anthropic_key)
            if anthropic
            else (self._upstream.openai, self._upstream.openai_key)
        )
        own = {"x-api-key": key} if anthropic else {"authorization": f"Bearer {key}"}
        request = self._http.build_request(
            method,
            base.rstrip("/") + path.removeprefix("/v1"),
            content=data,
            headers={**headers, **own, "accept-encoding": "identity"},
        )
        return await self._http.send(request, stream=True)

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None


def forwarded_headers(call: Call) -> dict[str, str]:
    """The headers of a client that the provider is to see."""
    given = call.request.headers
    return {
        name: given[name] for name in given if name in FORWARDED or name.startswith("x-stainless-")
    }
