"""Requests to the real provider, with its key in place of the client's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackproof_gateway.apis import ANTHROPIC, GOOGLE, GOOGLE_KEY
from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.provider.endpoints import is_passed_on

if TYPE_CHECKING:
    import httpx

TIMEOUT = 600.0
"""Seconds, as the official clients wait by default."""

CONNECT_TIMEOUT = 10.0
_KEYS = {ANTHROPIC: "x-api-key", GOOGLE: GOOGLE_KEY}
FORWARDED_GROUPS = ("x-goog-upload-", "x-stainless-")
FORWARDED = ("accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta",
             "user-agent", "x-goog-api-client")  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a provider is.

    Attributes:
        name: What it is called.
        url: Base URL; with `/v1`, or without a version for Google.
        key: Its key.
    """

    name: str
    url: str
    key: str = field(default="", repr=False)

    def address(self, path: str) -> str:
        """The whole URL of an endpoint.

        Args:
            path: Path from the version on, with its query.
        """
        base = self.url.rstrip("/")
        return base + (path.removeprefix("/v1") if base.endswith("/v1") else path)

    def has(self, url: str) -> bool:
        """Whether a whole URL leads to the same scheme, host and port."""
        import httpx  # only where somebody is asked: it takes a third of the gateway's start

        try:
            own, other = httpx.URL(self.url), httpx.URL(url)
        except httpx.InvalidURL:
            return False
        return (own.scheme, own.host, own.port) == (other.scheme, other.host, other.port)


Upstream = Mapping[str, Place]
"""Places of the providers by the API that they have."""


class Forwarder:
    """Sends requests to the provider.

    Args:
        upstream: Where they are.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._http: httpx.AsyncClient | None = None

    def keyless(self, api: str) -> str:
        """The name of the provider of an API, if there is no key for it; else empty."""
        place = self._upstream[api]
        return "" if place.key else place.name

    def place(self, api: str) -> Place:
        """Where the provider of an API is."""
        return self._upstream[api]

    @staticmethod
    def check(method: str, path: str) -> None:
        """Make sure that a request is one that the provider may get.

        Args:
            method: HTTP method.
            path: Path from the version on.

        Raises:
            ProviderError: If it is none of the endpoints that are passed on.
        """
        if not is_passed_on(method, path):
            raise _not_passed_on(method, path)

    async def send(
        self,
        method: str,
        path: str,
        data: bytes,
        headers: dict[str, str],
        api: str,
        address: str | None = None,
    ) -> httpx.Response:
        """Send a request; the answer's body is still to be read, and the answer to be closed.

        Args:
            method: HTTP method.
            path: Path from the version on, with its query.
            data: The body.
            headers: Further headers.
            api: Whose API it is.
            address: Where the provider has said that the request is to go, if it has.

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
        place = self._upstream[api]
        own = {_KEYS[api]: place.key} if api in _KEYS else {"authorization": f"Bearer {place.key}"}
        request = self._http.build_request(
            method,
            address or place.address(path),
            content=data,
            headers={**headers, **own, "accept-encoding": "identity"},
        )
        response = await self._http.send(request, stream=True)
        if response.is_redirect:
            await response.aclose()
            raise redirected(response.status_code)
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
        name: given[name]
        for name in given
        if name in FORWARDED or name.startswith(FORWARDED_GROUPS)
    }


def _not_passed_on(method: str, path: str) -> ProviderError:
    message = (
        f"{method} {ascii(path)[1:-1]} is no endpoint that this gateway passes on to the provider, "
        "so nothing was sent. docs/reference/gateway.md lists those that it does."
    )
    return ProviderError(404, message, code="not_passed_on", headers=dict(NO_RETRY))


def redirected(status: int) -> ProviderError:
    """The provider's answer leads to another address."""
    message = (
        f"The provider answered {status} and named another address. Its key is sent nowhere else: "
        "check GATEWAY_OPENAI_URL, GATEWAY_ANTHROPIC_URL or GATEWAY_GEMINI_URL."
    )
    return ProviderError(
        502, message, kind="server_error", code="provider_redirected", headers=dict(NO_RETRY)
    )
