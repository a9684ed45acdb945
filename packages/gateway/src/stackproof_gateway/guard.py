"""Who is let in: decided of each request before anything reads or routes it.

A page in a browser gets nothing. By a name of its own it is stopped at Host, and from elsewhere at
Origin and Sec-Fetch-Site, with which browsers mark what pages send: Origin whatever is no GET or
HEAD, "simple" requests without a preflight among them (Fetch standard, "append a request Origin
header"), and Sec-Fetch-Site the rest (W3C Fetch Metadata).

The token is asked for where a request can read or steer (`/_gateway`), and where it spends money
(the modes `record` and `live`). It may be in the path (`/k/TOKEN/v1`), which is how a client can
carry it that only knows a base URL and a key; be the API key; or be the header X-Gateway-Token.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stackproof_gateway.apis import api_outside, envelope_of
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.hosts import Hosts
from stackproof_gateway.paths import clean_path

CONTROL = "/_gateway"
OPEN = frozenset({"/health", "/healthz"})
TOKEN_PATH = "/k/"  # noqa: S105 - where it stands, not one
MASK = "***"
POLICY_VIOLATION = 1008
FOREIGN = frozenset({b"cross-site", b"same-site"})

OTHER_HOST = (
    "This gateway does not answer to the name {}: a page could have pointed it here. If it is the "
    "gateway's own, start it with --allowed-host NAME (GATEWAY_ALLOWED_HOSTS)."
)
ALLOW_IT = "start it with --allowed-origin ORIGIN (GATEWAY_ALLOWED_ORIGINS)."
OTHER_PAGE = (
    "This request comes from {} in a browser, and pages may not use this gateway. If that one may, "
    + ALLOW_IT
)
CORS_IS_OFF = (
    "CORS is off: a browser asks here whether {} may use this gateway, and no page may. If it may, "
    + ALLOW_IT
)
NOT_ALLOWED_ORIGIN = (
    "CORS is on, but not for {}, which a browser asks for. If it may use this gateway, " + ALLOW_IT
)
NONE_GIVEN = (
    "{} needs the token of this gateway, and this request has none. Put it in the base URL "
    "(http://HOST:PORT/k/TOKEN/v1), in the header X-Gateway-Token, or give it as the API key. "
    "GATEWAY_TOKEN sets it; a gateway that makes its own prints it at its start."
)
OUT_OF_DATE = (
    "The token in this request is not the one of this gateway. Each run has a new one; an address "
    "that was kept from an earlier run is out of date."
)

Headers = dict[bytes, bytes]


@dataclass(frozen=True)
class Rules:
    """What a guard lets in.

    Attributes:
        hosts: The names that the gateway answers to.
        origins: Pages that may use it, such as `http://localhost:3000`.
        token: What opens the control interface, and the provider where it costs money.
        costs_money: Whether the provider's endpoints need the token.
    """

    hosts: Hosts
    origins: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)
    costs_money: bool = False


class Guard:
    """Stands before an application.

    Args:
        app: The application.
        rules: What is let in.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._token = rules.token.encode()
        self._admits = lru_cache(rules.hosts.admit)  # nearly all requests name the same one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            admitted = self._admitted(scope, headers)
        except ProviderError as error:
            self._tell(scope, error)
            await _drain(receive)
            refusal = _refusal(scope, headers, error)
            if self._is_allowed(headers):
                refusal.headers["access-control-allow-origin"] = headers[b"origin"].decode()
                refusal.headers["vary"] = "Origin"
            await refusal(scope, receive, send)
            return
        await self._app(admitted, receive, send)

    def _admitted(self, scope: Scope, headers: Headers) -> Scope:
        """The request as it goes on: its path decoded, and without the token.

        Raises:
            ProviderError: If it is not let in.
        """
        self._check_host(scope, headers)
        self._check_origin(scope, headers)
        raw = scope.get("raw_path") or scope["path"].encode()
        try:
            path = clean_path(raw)
        except ValueError as error:
            message = f"This path is refused: {error}. Send each path in its plain form."
            raise _refused(400, message, "path_refused") from None
        shown, carried = path, False
        if path.startswith(TOKEN_PATH):
            given, slash, rest = path.removeprefix(TOKEN_PATH).partition("/")
            shown, carried = slash + rest or "/", True
            if not self._is_token(given.encode()):
                raise _wrong_token()
        if not carried and scope["method"] != "OPTIONS" and self._needs_token(shown):
            self._check_token(shown, headers, scope["query_string"])
        return {**scope, "path": shown, "raw_path": shown.encode()} if carried else scope

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        count = [name for name, _ in scope["headers"]].count(b"host")
        if count != 1:
            message = f"A request needs one header Host, but this one has {count}."
            raise _refused(400, message, "host_refused")
        host = headers[b"host"].decode("latin-1")
        if not self._admits(host):
            raise _refused(421, OTHER_HOST.format(ascii(host[:200])), "host_refused")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        origin, asks = headers.get(b"origin"), scope["method"] == "OPTIONS"
        if origin is not None:
            if self._is_allowed(headers):
                return
            whose = f"a page of {origin.decode('latin-1')[:200]!a}"
        elif asks and not self._rules.origins:
            whose = "a page"
        elif headers.get(b"sec-fetch-site") in FOREIGN:
            whose = "a page of another site"
        else:
            return
        text = OTHER_PAGE
        if asks:
            text = NOT_ALLOWED_ORIGIN if self._rules.origins else CORS_IS_OFF
        raise _refused(403, text.format(whose), "origin_refused")

    def _is_allowed(self, headers: Headers) -> bool:
        """Whether a request comes from a page that may use the gateway."""
        return headers.get(b"origin", b"").decode("latin-1") in self._rules.origins

    def _needs_token(self, path: str) -> bool:
        if path == CONTROL or path.startswith(CONTROL + "/"):
            return True
        return self._rules.costs_money and path not in OPEN

    def _check_token(self, path: str, headers: Headers, query: bytes) -> None:
        if any(self._is_token(token) for token in _carried(headers, query)):
            return
        if b"x-gateway-token" in headers:
            raise _wrong_token()
        why = "The control interface" if path.startswith(CONTROL) else "A call that costs money"
        raise _refused(401, NONE_GIVEN.format(why), "token_required")

    def _is_token(self, given: bytes) -> bool:
        return bool(self._token) and hmac.compare_digest(given, self._token)

    def _tell(self, scope: Scope, error: ProviderError) -> None:
        """A line for people; the path may hold the token, so only its end is told."""
        say = scope["app"].state.say if "app" in scope else None
        if say is None:
            return
        path = scope["path"]
        if path.startswith(TOKEN_PATH):
            path = f"{TOKEN_PATH}{MASK}/" + path.removeprefix(TOKEN_PATH).partition("/")[2]
        path = scope["app"].state.hiding.text(path.replace(self._rules.token, MASK))
        code = error.envelope["error"]["code"]
        say(f"refused {scope['method']} {ascii(path[:200])[1:-1]} {error.status} {code}\n")


def _carried(headers: Headers, query: bytes) -> Iterator[bytes]:
    yield headers.get(b"x-gateway-token", b"")
    yield headers.get(b"x-api-key", b"").strip()
    yield headers.get(b"x-goog-api-key", b"").strip()
    yield headers.get(b"api-key", b"").strip()
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        yield key.strip()
    yield from (part.removeprefix(b"key=") for part in query.split(b"&") if part[:4] == b"key=")


def _refused(status: int, message: str, code: str) -> ProviderError:
    return ProviderError(status, message, code=code, headers=dict(NO_RETRY))


def _wrong_token() -> ProviderError:
    return _refused(401, OUT_OF_DATE, "wrong_token")


async def _drain(receive: Receive) -> None:
    """Read the body and drop it: a client that still sends would see the connection break."""
    while (await receive()).get("more_body"):
        pass


def _refusal(scope: Scope, headers: Headers, error: ProviderError) -> Response:
    """The refusal in the form of the API that was asked."""
    names = {name.decode("latin-1"): "" for name in headers}
    query = scope.get("query_string", b"").decode("latin-1")
    content = envelope_of(error, api_outside(scope["path"], names, query))
    if scope["path"].startswith(CONTROL):
        content = {"error": error.message}
    return Response(to_bytes(content), error.status, error.headers, media_type="application/json")
