"""The mode that answers from recordings alone."""

from __future__ import annotations

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.namespaces import Namespace, asker_of
from stackproof_gateway.provider.cassettes import Cassettes
from stackproof_gateway.provider.changing import put_into
from stackproof_gateway.provider.google_uploads import shown
from stackproof_gateway.provider.masking import Masker
from stackproof_gateway.provider.nearest import difference
from stackproof_gateway.provider.requests import incoming
from stackproof_gateway.provider.usage import usage_of


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
        self.served = 0

    async def answer(self, call: Call) -> Response:
        """The recorded answer of a request.

        Raises:
            ProviderError: If the request was not recorded, with the difference to the nearest one.
        """
        asked = incoming(call, self._masker).recorded
        older = asked.as_digest
        variants = self._cassettes.alike(asked)
        if not variants and self._cassettes.alike(older):
            asked, variants = older, self._cassettes.alike(older)
        if not variants:
            raise ProviderError(
                404,
                f"This request was not recorded in {self._cassettes.folder}. Record it with "
                f"`--llm record`, or see what changed:\n{difference(asked, self._cassettes)}",
                code="not_recorded",
                headers=dict(NO_RETRY),
            )
        replayed, numbered = call.namespace.replayed, self._cassettes.numbered(asked)
        variant = replayed.values.best(numbered, variants, replayed.used)
        cassette, values = variant.cassette, replayed.values.learn(numbered, variant.numbered)
        name = cassette.path.name
        self.used.add(name)
        self.served += 1
        turn = min(replayed.used[name], len(cassette.replies) - 1)
        replayed.used[name] += 1
        reply = cassette.replies[turn]
        content = put_into(reply.content, values, stream=reply.is_stream)
        replayed.values.introduce(self._cassettes.changing.identities(content))
        call.entry.usage = usage_of(reply.content, stream=reply.is_stream) or {}
        call.entry.reply = f"{name}, reply {turn + 1}"
        call.entry.streamed = reply.is_stream
        return Response(content, reply.status, shown(call, reply.headers))

    def unused(self) -> list[str]:
        """Files of the recordings that nobody has asked for."""
        names = {cassette.path.name for cassette in self._cassettes.by_key.values()}
        return sorted(names - self.used)

    def missed(self, namespace: Namespace) -> list[str]:
        """Files that a namespace of this name has recorded, and that this one has not asked for.

        Args:
            namespace: The namespace; what makes its name unique in a run is left out.
        """
        asker, used = asker_of(namespace.name), namespace.replayed.used
        missed: list[str] = []
        for group in self._cassettes.groups():
            own = [one.path.name for one in group if any(r.asker == asker for r in one.replies)]
            asked = sum(used[one.path.name] > 0 for one in group)
            unused = [name for name in own if not used[name]]
            missed += unused[: max(0, len(own) - asked)]
        return sorted(missed)

    async def close(self) -> None:
        """Nothing is open."""
