"""The client of the gateway: scripts, faults and the journal of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stackproof_gateway.client_lease import HEADER, Lease, trust_for
from stackproof_gateway.client_scripts import Pattern, When, written
from stackproof_gateway.journal_entries import JournalEntry, Verdict, entry_of, verdict_of

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0
"""Seconds that the gateway gets to answer."""

LONGEST_IDLE = 2.0
"""Seconds after which a connection is not used again: the gateway closes one that is idle for 5."""

REFUSED = 400
NOT_ADMITTED = (401, 403, 421)
NOTHING_THERE = 404
NO_LEASE = 409


class GatewayClient:
    """A client of the gateway, for one namespace.

    Args:
        base_url: Address of the gateway, such as `http://127.0.0.1:14000`.
        namespace: The test's namespace: letters, digits, dots, - and _.
        token: The gateway's token, which its control interface needs; empty where the address
            holds it (`http://127.0.0.1:14000/k/TOKEN`).
        lease: When it ends, what this client told the gateway is undone; None if all of it stays.
    """

    def __init__(
        self, base_url: str, namespace: str, token: str = "", *, lease: Lease | None = None
    ) -> None:
        import httpx

        self.base_url = base_url.rstrip("/")
        self.namespace = namespace
        self._token = token
        self._lease = lease
        headers = {"X-Gateway-Token": token} if token else {}
        headers |= {} if lease is None else {HEADER: lease.name}
        self._http = httpx.Client(
            base_url=self.base_url,
            timeout=TIMEOUT,
            headers=headers,
            verify=trust_for(self.base_url),
            limits=httpx.Limits(keepalive_expiry=LONGEST_IDLE),
        )

    @property
    def openai_base_url(self) -> str:
        """Base URL of the namespace for an OpenAI client; it includes the token."""
        return f"{self.gemini_base_url}/v1"

    @property
    def gemini_base_url(self) -> str:
        """Base URL of the namespace for a client of Gemini; it includes the token."""
        door = f"/k/{self._token}" if self._token else ""
        return f"{self.base_url}{door}/t/{self.namespace}"

    @property
    def api_key(self) -> str:
        """API key of the namespace, for every base URL of the gateway."""
        return f"sk-e2e-{self.namespace}"

    def requests(
        self, model: str | None = None, path: str | None = None, *, since: float = 0.0
    ) -> list[JournalEntry]:
        """The calls so far, oldest first.

        Args:
            model: Only those of one model.
            path: Only those of one path, such as `/v1/chat/completions`.
            since: Only those that began after that moment, as `monotonic` of an entry tells it.
        """
        wanted = {} if model is None else {"model": model}
        wanted |= {"since": str(since)} if since else {}
        entries = [entry_of(value) for value in self._ask("journal", wanted)["entries"]]
        return [
            entry
            for entry in entries
            if model in {None, entry.model}
            and path in {None, entry.path}
            and entry.monotonic > since
        ]

    def faults(self, model: str | None = None) -> list[JournalEntry]:
        """The calls that were answered with a fault."""
        return [entry for entry in self.requests(model) if entry.fault is not None]

    def assert_fault_reached_app(self, model: str | None = None) -> None:
        """Fail unless there was a fault, and each one has reached the application.

        A fault that the client tried again by itself, and that failed again, counts by its last
        try.

        Raises:
            AssertionError: With the journal.
        """
        found = [entry.fault.reached_app for entry in self.faults(model) if entry.fault]
        if "absorbed" in found:
            what = "a fault was absorbed by the client"
        elif "unknown" in found:
            what = "the client does not count its retries, so it is unknown what it absorbed"
        elif "reached" not in found:
            what = "there was no fault"
        else:
            return
        raise AssertionError(f"{what}; the journal of {self.namespace}:\n{self._told()}")

    def when(
        self,
        model: Pattern | None = None,
        *,
        path: Pattern | None = None,
        text: Pattern | None = None,
        regex: str | None = None,
        tool_result: Pattern | None = None,
        system: Pattern | None = None,
        message: Pattern | None = None,
        last_reply: Pattern | None = None,
        tool: Pattern | None = None,
        schema: Pattern | None = None,
        header: Mapping[str, Pattern] | None = None,
        turn: int | None = None,
        call: int | None = None,
        after: dict[str, str] | None = None,
    ) -> When:
        """Choose the calls that a script answers: those that fit all conditions.

        Each condition can be a compiled regular expression instead of a text.

        Args:
            model: Pattern of the model, with `*` and `?`.
            path: Pattern of the path, such as `/v1/responses`.
            text: Part of what the user said last, if the model has not replied since.
            regex: Expression that is found there.
            tool_result: Part of a tool's result since the model's last turn.
            system: Part of a system or developer message, or of the instructions.
            message: Part of any message.
            last_reply: Part of the model's last turn: its text, and names and arguments of calls.
            tool: Pattern of the name of a tool that is offered.
            schema: Pattern of the name or title of the answer's schema, or of the forced tool.
            header: Names of request headers, and patterns of their values.
            turn: Only the model's nth turn of a conversation, from 1.
            call: Only the nth such call, from 1.
            after: What must have happened: `{"signal": …}`, `{"script": …}` or `{"call": path}`.
        """
        patterns = {"model": model, "path": path, "text": text, "tool_result": tool_result,
                    "system": system, "message": message, "last_reply": last_reply, "tool": tool,
                    "schema": schema}  # fmt: skip
        given = {
            **{name: written(pattern) for name, pattern in patterns.items()},
            "header": {name: written(pattern) for name, pattern in (header or {}).items()} or None,
            "regex": regex, "turn": turn, "call": call, "after": after,
        }  # fmt: skip
        return When(self.tell, {key: value for key, value in given.items() if value is not None})

    def arm(self, fault: str = "fail-once", **where: Any) -> None:
        """Let calls fail, whatever the name of their model.

        Args:
            fault: Fault words, such as `fail-once`, `fail-2-http429`, `cut` or `always-fail-call`.
            **where: Patterns `path`, `model` and `key`; `unit` and `times` instead of words.

        Raises:
            ValueError: If there is no such fault.
        """
        self.tell("faults", {"fault": fault, **where})

    def signal(self, name: str) -> None:
        """Give a signal, for scripts that wait for it."""
        self.tell("signals", {"name": name})

    def release(self, hold: str) -> None:
        """Release a hold: send the answers that it holds, and hold no more."""
        self.tell("releases", {"name": hold})

    def advance_clock(self, seconds: int) -> None:
        """Advance the clock of the namespace, which sets `created`."""
        self.tell("clock", {"advance": seconds})

    def slow_indexing(self, reads: int) -> None:
        """Let vector stores say so often that a new file is in progress; no search finds it yet."""
        self.tell("indexing", {"reads": reads})

    def unused_scripts(self) -> list[str]:
        """Names of the scripts that were used less often than they say."""
        names: list[str] = self._ask("scripts")["unused"]
        return names

    def assert_all_scripts_used(self) -> None:
        """Fail unless every script was used, as often as it says.

        Raises:
            AssertionError: With the scripts that were not, and the journal.
        """
        unused = self.unused_scripts()
        if unused:
            raise AssertionError(
                f"not used: {', '.join(unused)}; the journal of {self.namespace}:\n{self._told()}"
            )

    def verdicts(self) -> list[Verdict]:
        """What each client did with the answers: retries, and faults that it hid."""
        return [verdict_of(value) for value in self._ask("verdict")["clients"]]

    def limit_spending(self, usd: float | str) -> None:
        """Limit what the namespace may spend at the real provider, in US dollars."""
        self.tell("budget", {"usd": str(usd)})

    def bill(self) -> dict[str, Any]:
        """What the gateway has spent at the real provider: in all, by namespace and model.

        Raises:
            ValueError: If the gateway does not call the real provider.
        """
        answer = _admitted(self._http.get("/_gateway/bill"))
        if answer.status_code == NOTHING_THERE:
            raise ValueError(answer.json()["error"])
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def unused_recordings(self) -> list[str]:
        """Recordings that were not used since the gateway started."""
        answer = _admitted(self._http.get("/_gateway/recordings")).raise_for_status()
        names: list[str] = answer.json()["unused"]
        return names

    def missed_recordings(self) -> list[str]:
        """Recordings of a namespace of this name, `-` and 8 hex digits aside, not asked for."""
        names: list[str] = self._ask("recordings")["missed"]
        return names

    def reset(self) -> None:
        """Forget everything of the namespace."""
        self.tell("reset", None)

    def tell(self, what: str, value: Any) -> Any:
        """Send something to the control API of the namespace.

        Raises:
            ValueError: If the gateway refuses it.
        """
        path = f"/_gateway/t/{self.namespace}/{what}"
        answer = _admitted(self._http.post(path, json=value))
        if answer.status_code == NO_LEASE and self._lease is not None:
            self._lease.begin(TIMEOUT)
            answer = _admitted(self._http.post(path, json=value))
        return _content(answer)

    def _ask(self, what: str, query: Mapping[str, str] | None = None) -> Any:
        path = f"/_gateway/t/{self.namespace}/{what}"
        return _content(_admitted(self._http.get(path, params=query)))

    def _told(self) -> str:
        return "\n".join(map(str, self.requests())) or "(no calls)"

    def namespaces(self) -> list[str]:
        """Names of all namespaces that were used."""
        answer = _admitted(self._http.get("/_gateway/namespaces")).raise_for_status()
        names: list[str] = answer.json()["namespaces"]
        return names

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _admitted(answer: httpx.Response) -> httpx.Response:
    """An answer of a gateway that has let the request in.

    Raises:
        PermissionError: If it has not, with its reason.
    """
    if answer.status_code in NOT_ADMITTED:
        raise PermissionError(answer.json()["error"])
    return answer


def _content(answer: httpx.Response) -> Any:
    """What an answer says.

    Raises:
        ValueError: If the gateway has refused the request, with its reason.
    """
    if answer.status_code == REFUSED:
        raise ValueError(answer.json()["error"])
    return answer.raise_for_status().json()
