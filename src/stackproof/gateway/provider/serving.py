"""The modes that answer from recordings or from the real provider: replay, record, live."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
from starlette.responses import Response, StreamingResponse

from stackproof.gateway.call import Call
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.faults import NO_RETRY
from stackproof.gateway.provider.budget import Budget, BudgetSpentError, Reservation
from stackproof.gateway.provider.cassettes import KEPT_HEADERS, Cassettes, RecordedReply
from stackproof.gateway.provider.forwarding import Forwarder, forwarded_headers
from stackproof.gateway.provider.masking import Masker
from stackproof.gateway.provider.nearest import difference
from stackproof.gateway.provider.prices import PriceTable, UnpricedError
from stackproof.gateway.provider.requests import Incoming, incoming
from stackproof.gateway.provider.usage import usage_of, written_bytes

if TYPE_CHECKING:
    import httpx

FIRST_FAILURE = 400
NOT_KEPT = frozenset({401, 403, 408, 409, 429})
"""Statuses that say nothing of the request, so that they are not recorded; nor are 5xx."""

FIRST_SERVER_ERROR = 500

LAST_EVENT = re.compile(rb"(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|"
                        rb"incomplete|failed))\r?\ndata:[^\n]*)\r?\n\r?\n")  # fmt: skip
"""The last event of a stream, in each dialect."""


@dataclass
class Purse:
    """What calls cost, and what may be spent on them."""

    prices: PriceTable
    budget: Budget

    def reserve(self, call: Call, asked: Incoming) -> Reservation:
        """Reserve the most that a call can cost.

        Raises:
            ProviderError: If nobody knows, or the budget does not allow it.
        """
        recorded = asked.recorded
        try:
            cost = self.prices.bound(recorded.method, call.entry.path, asked.body, len(asked.data))
            return self.budget.reserve(
                call.namespace.name, recorded.model, cost, call.namespace.budget_usd
            )
        except UnpricedError as error:
            raise _refusal(f"Nothing was sent: {error}.", "unknown_price") from None
        except BudgetSpentError as error:
            raise _refusal(str(error), "budget_spent") from None

    def settle(self, call: Call, reservation: Reservation, reply: RecordedReply) -> dict[str, int]:
        """Note what a call has cost; gives back the usage that the answer tells.

        Where it tells none: nothing for a refusal, what a whole stream has written and what it can
        have been asked, and else all that was reserved.
        """
        cost, model = reservation.cost, reservation.model
        usage = usage_of(reply.content, stream=reply.is_stream)
        if usage is None and reply.status >= FIRST_FAILURE:
            usage = {}
        if model and usage is not None:
            cost = self.prices.cost(model, usage)
        elif model and reply.is_stream:
            cost = self.prices.counted(cost, model, written_bytes(reply.content))
        if cost != reservation.cost:
            self.budget.settle(reservation, cost)
        call.entry.usd = float(cost.usd)
        return usage or {}


def _refusal(message: str, code: str) -> ProviderError:
    return ProviderError(429, message, kind="insufficient_quota", code=code, headers=dict(NO_RETRY))


class Replaying:
    """Answers from recordings alone.

    Args:
        cassettes: The recordings.
        masker: Takes secrets out of requests.
    """

    mode = "replay"

    def __init__(self, cassettes: Cassettes, masker: Masker) -> None:
        self._cassettes = cassettes
        self._masker = masker
        self.used: set[str] = set()

    async def answer(self, call: Call) -> Response:
        """The recorded answer of a request.

        Raises:
            ProviderError: If the request was not recorded, with the difference to the nearest one.
        """
        asked = incoming(call, self._masker).recorded
        cassette = self._cassettes.find(asked)
        if cassette is None:
            near = difference(asked, self._cassettes.by_key.values())
            raise ProviderError(
                404,
                f"This request was not recorded in {self._cassettes.folder}. Record it with "
                f"`--llm record`, or see what changed:\n{near}",
                code="not_recorded",
                headers=dict(NO_RETRY),
            )
        key = self._cassettes.key(asked)
        self.used.add(key)
        turns: Counter[str] = call.namespace.replayed
        turn = min(turns[key], len(cassette.replies) - 1)
        turns[key] += 1
        reply = cassette.replies[turn]
        call.entry.usage = usage_of(reply.content, stream=reply.is_stream) or {}
        call.entry.reply = f"{cassette.path.name}, reply {turn + 1}"
        call.entry.streamed = reply.is_stream
        return Response(reply.content, reply.status, reply.headers)

    def unused(self) -> list[str]:
        """Files of the recordings that nobody has asked for."""
        return sorted(
            one.path.name for key, one in self._cassettes.by_key.items() if key not in self.used
        )

    async def close(self) -> None:
        """Nothing is open."""


class Asking:
    """Asks the real provider, within a budget, and records the answers if it has somewhere to.

    Args:
        forwarder: Sends requests.
        purse: Prices and budget.
        masker: Takes secrets out of what is kept.
        cassettes: Where answers are recorded; None in the mode `live`.
    """

    def __init__(
        self,
        forwarder: Forwarder,
        purse: Purse,
        masker: Masker,
        cassettes: Cassettes | None = None,
    ) -> None:
        self.mode = "live" if cassettes is None else "record"
        self.purse = purse
        self._forwarder = forwarder
        self._masker = masker
        self._cassettes = cassettes

    async def answer(self, call: Call) -> Response:
        """The provider's answer.

        Raises:
            ProviderError: If the budget does not allow it, or the provider does not answer.
        """
        asked = incoming(call, self._masker)
        self._forwarder.check(call.request.method, call.entry.path)
        import httpx  # only where somebody is asked: it takes a third of the gateway's start

        anthropic = call.anthropic
        if self._forwarder.missing_key(anthropic=anthropic):
            name = "Anthropic" if anthropic else "OpenAI"
            raise _refusal(f"Nothing was sent: the gateway has no key for {name}.", "no_key")
        reservation = self.purse.reserve(call, asked)
        call.entry.usd = float(reservation.cost.usd)
        try:
            response = await self._forwarder.send(
                asked.recorded.method,
                call.entry.path + _query(call),
                asked.data,
                forwarded_headers(call),
                anthropic=anthropic,
            )
        except (httpx.ConnectError, ProviderError) as error:
            self.purse.budget.release(reservation)
            call.entry.usd = 0.0
            raise self._unreachable(error) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return await self._passed_on(call, asked, reservation, response)

    async def _passed_on(
        self, call: Call, asked: Incoming, reservation: Reservation, response: httpx.Response
    ) -> Response:
        import httpx  # as above

        headers = {
            name: response.headers[name] for name in KEPT_HEADERS if name in response.headers
        }
        stream = headers.get("content-type", "").startswith("text/event-stream")
        if not stream:
            try:
                content = await response.aread()
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None
            finally:
                await response.aclose()
            self._finish(
                call, asked, reservation, RecordedReply(response.status_code, headers, content)
            )
            shown = call.request.app.state.hiding.hide(content)
            return Response(shown, response.status_code, headers)
        call.entry.streamed = True
        chunks = self._streamed(call, asked, reservation, response, headers)
        return StreamingResponse(chunks, response.status_code, headers)

    async def _streamed(
        self,
        call: Call,
        asked: Incoming,
        reservation: Reservation,
        response: httpx.Response,
        headers: dict[str, str],
    ) -> AsyncIterator[bytes]:
        """The provider's chunks as they come; all of them together are recorded.

        They are before the client has the last event, since it may leave once it has read that.
        """
        kept = bytearray()
        whole = False
        call.entry.client_closed = True
        try:
            async for chunk in response.aiter_raw():
                last = kept.rfind(b"\n\n") + 1  # the event that is not whole yet is behind it
                kept += chunk
                if not whole and LAST_EVENT.search(kept, last):
                    whole = True
                    self._finish(call, asked, reservation, _streamed_reply(response, headers, kept))
                yield chunk
            if not whole:
                whole = True
                self._finish(call, asked, reservation, _streamed_reply(response, headers, kept))
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
            call.stream_done(not whole)

    def _finish(
        self, call: Call, asked: Incoming, reservation: Reservation, reply: RecordedReply
    ) -> None:
        """Note the price of an answer, and record it."""
        call.entry.usage = self.purse.settle(call, reservation, reply)
        short = call.request.app.state.hiding.short(reply.content)
        call.entry.reply = self._masker.text(short)
        lasting = reply.status < FIRST_SERVER_ERROR and reply.status not in NOT_KEPT
        if self._cassettes is not None and lasting:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            stamped: dict[str, Any] = {"recorded": now, "client": call.entry.user_agent}
            kept = RecordedReply(reply.status, reply.headers, reply.content, **stamped)
            self._cassettes.keep(asked.recorded, kept)

    def _unreachable(self, error: httpx.HTTPError | ProviderError) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        told = self._masker.text(f"{type(error).__name__}: {error}")
        message = f"The provider did not answer: {told}"
        return ProviderError(502, message, kind="server_error", code="provider_unreachable")

    def unused(self) -> list[str]:
        """Nothing is replayed, so nothing is unused."""
        return []

    async def close(self) -> None:
        """Close the connections."""
        await self._forwarder.close()


def _streamed_reply(
    response: httpx.Response, headers: dict[str, str], content: bytearray
) -> RecordedReply:
    return RecordedReply(response.status_code, headers, bytes(content))


def _query(call: Call) -> str:
    query = call.request.url.query
    return f"?{query}" if query else ""


Mode = Replaying | Asking
