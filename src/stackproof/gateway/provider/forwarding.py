"""Requests to the real provider, with its key in place of the client's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackproof.gateway.call import Call
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.faults import NO_RETRY
from stackproof.gateway.provider.endpoints import is_passed_on

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

    @staticmethod
    def check(method: str, path: str) -> None:
        """Make sure that a request is one that the provider may get.

        Args:
            method: HTTP method.
            path: Path from `/v1` on.

        Raises:
            ProviderError: If it is none of the endpoints that are passed on.
        """
        if not is_passed_on(method, path):
            raise _not_passed_on(method, path)

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
            ProviderError: If the path is none of the endpoints that are passed on, or the provider
                leads to another address: its key goes nowhere else.
            httpx.HTTPError: If the provider does not answer.
        """
        self.check(method, path.partition("?")[0])
        import httpx  # only where somebody is asked: it takes a third of the gateway's start

        if self._http is None:
            timeout = httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT)
            limits = httpx.Limits(max_connections=200)
            self._http = httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False)
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
        response = await self._http.send(request, stream=True)
        if response.is_redirect:
            await response.aclose()
            raise _redirected(response.status_code)
        return response

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


def _not_passed_on(method: str, path: str) -> ProviderError:
    message = (
        f"{method} {ascii(path)[1:-1]} is no endpoint that this gateway passes on to the provider, "
        "so nothing was sent. docs/reference/gateway.md lists those that it does."
    )
    return ProviderError(404, message, code="not_passed_on", headers=dict(NO_RETRY))


def _redirected(status: int) -> ProviderError:
    message = (
        f"The provider answered {status} and named another address. Its key is sent nowhere else: "
        "check GATEWAY_OPENAI_URL or GATEWAY_ANTHROPIC_URL."
    )
    return ProviderError(
        502, message, kind="server_error", code="provider_redirected", headers=dict(NO_RETRY)
    )
