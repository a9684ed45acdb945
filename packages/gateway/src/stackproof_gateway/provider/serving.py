"""The modes that ask the real provider: record and live."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response, StreamingResponse

from stackproof_gateway.apis import without_key
from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.namespaces import Namespace, asker_of
from stackproof_gateway.provider.budget import Budget, BudgetSpentError, Reservation
from stackproof_gateway.provider.cassettes import KEPT_HEADERS, Cassettes, RecordedReply
from stackproof_gateway.provider.contents import candidates_of
from stackproof_gateway.provider.forwarding import Forwarder, forwarded_headers, redirected
from stackproof_gateway.provider.google_uploads import (
    named_address,
    own_addresses,
    provider_address,
    recorded,
    shown,
)
from stackproof_gateway.provider.masking import Masker
from stackproof_gateway.provider.prices import PriceTable, UnpricedError
from stackproof_gateway.provider.replaying import Replaying
from stackproof_gateway.provider.requests import Incoming, incoming
from stackproof_gateway.provider.usage import usage_of, written_bytes

if TYPE_CHECKING:
    import httpx

FIRST_FAILURE = 400
NOT_KEPT = frozenset({401, 403, 408, 409, 429})
"""Statuses that say nothing of the request, so that they are not recorded; nor are 5xx."""

FIRST_SERVER_ERROR = 500

LAST_EVENT = re.compile(rb"(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|"
                        rb"incomplete|failed))\r?\ndata:[^\n]*)\r?\n\r?\n")  # fmt: skip
"""The last event of a stream of OpenAI and Anthropic."""

REASON = re.compile(rb'(?<!\\)"finishReason"\s*:')
"""What the last event of each of Google's candidates has."""

EVENT_END = re.compile(rb"\n\r?\n")


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


class Asking:
    """Asks the real provider, within a budget, and records the answers if it has somewhere to.

    Args:
        forwarder: Sends requests.
        purse: Prices and budget.
        masker: Takes secrets out of what is kept.
        cassettes: Where answers are recorded; None in the mode `live`.
    """

    served = 0

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
        address = provider_address(call)
        import httpx  # only where somebody is asked: it takes a third of the gateway's start

        name = self._forwarder.keyless(call.api)
        if name:
            raise _refusal(f"Nothing was sent: the gateway has no key for {name}.", "no_key")
        reservation = self.purse.reserve(call, asked)
        call.entry.usd = float(reservation.cost.usd)
        try:
            response = await self._forwarder.send(
                asked.recorded.method,
                call.entry.path + _query(call),
                asked.data,
                forwarded_headers(call),
                call.api,
                address,
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
            headers |= self._own_addresses(call, asked, response)
            kept = RecordedReply(response.status_code, recorded(headers), content)
            self._finish(call, asked, reservation, kept)
            state = call.request.app.state
            told = shown(call, headers, state.token)
            return Response(state.hiding.hide(content), response.status_code, told)
        call.entry.streamed = True
        chunks = self._streamed(call, asked, reservation, response, headers)
        return StreamingResponse(chunks, response.status_code, headers)

    def _own_addresses(
        self, call: Call, asked: Incoming, response: httpx.Response
    ) -> dict[str, str]:
        """Addresses of the gateway in the place of those that the provider's answer names.

        Raises:
            ProviderError: If the provider leads elsewhere.
        """
        named = named_address(call, response.headers)
        if named is None:
            return {}
        if not self._forwarder.place(call.api).has(named):
            raise redirected(response.status_code)
        same = asked.recorded
        if self._cassettes is not None:
            same = self._cassettes.numbered(same).request
        return own_addresses(call, same.key(), response.headers)

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
                # the event that is not whole yet is behind the last empty line
                last = max(kept.rfind(b"\n\n"), kept.rfind(b"\n\r\n")) + 1
                kept += chunk
                if not whole and _is_whole(kept, last, asked):
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
        short = call.request.app.state.hiding.short(reply.content.decode("utf-8", "replace"))
        call.entry.reply = self._masker.text(short)
        lasting = reply.status < FIRST_SERVER_ERROR and reply.status not in NOT_KEPT
        if self._cassettes is not None and lasting:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            stamped = {"recorded": now, "client": call.entry.user_agent,
                       "asker": asker_of(call.namespace.name)}  # fmt: skip
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

    def missed(self, namespace: Namespace) -> list[str]:  # noqa: ARG002 - same question, one answer
        """Nothing is replayed, so nothing is missed."""
        return []

    async def close(self) -> None:
        """Close the connections."""
        await self._forwarder.close()


def _is_whole(kept: bytearray, last: int, asked: Incoming) -> bool:
    """Whether a stream has come to its end; Google's ends with the reason of each candidate.

    Args:
        kept: What has come so far.
        last: Where the events begin that were not looked at.
        asked: The request.
    """
    if LAST_EVENT.search(kept, last):
        return True
    if not REASON.search(kept, last) or not EVENT_END.search(kept, len(kept) - 4):
        return False
    return len(REASON.findall(kept)) >= candidates_of(asked.body or {})


def _streamed_reply(
    response: httpx.Response, headers: dict[str, str], content: bytearray
) -> RecordedReply:
    return RecordedReply(response.status_code, headers, bytes(content))


def _query(call: Call) -> str:
    query = without_key(call.request.url.query)
    return f"?{query}" if query else ""


Mode = Replaying | Asking
