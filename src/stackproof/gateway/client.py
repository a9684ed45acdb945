"""What a test tells and asks a gateway: scripts, faults, and what was called in its namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackproof.gateway.journal_entries import JournalEntry, Verdict, entry_of, verdict_of

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0
"""Seconds that the gateway gets to answer."""

REFUSED = 400
NOT_ADMITTED = (401, 403, 421)
NOTHING_THERE = 404


class When:
    """Calls that a test scripts an answer for; `GatewayClient.when` makes it.

    Args:
        gateway: Whose namespace.
        conditions: `model`, `path`, `text`, `regex`, `tool_result`, `call`, `after`.
    """

    def __init__(self, gateway: GatewayClient, conditions: dict[str, Any]) -> None:
        self._gateway = gateway
        self._conditions = conditions

    def reply(self, text: str | None = None, *, times: int | None = None, **fields: Any) -> str:
        """Answer each such call, or the first `times` of them.

        Args:
            text: What the model says.
            times: How many calls; None for all.
            **fields: `json`, `tool_calls`, `refusal`, `error`, `delay`, `hold`, `cut_after` and
                all else that a reply in a script file may have.

        Returns:
            The script's name.

        Raises:
            ValueError: If a field is unknown or not what it should be.
        """
        reply = {**fields, **({} if text is None else {"text": text})}
        return self._add({"reply": reply, **({} if times is None else {"times": times})})

    def replies(self, *replies: str | dict[str, Any]) -> str:
        """Answer such calls in turn, each reply once; after the last, others answer.

        Raises:
            ValueError: If a reply is not what it should be.
        """
        return self._add({"replies": list(replies)})

    def fail(self, status: int = 500, *, times: int | None = None, **error: Any) -> str:
        """Answer such calls with an error.

        Args:
            status: HTTP status.
            times: How many calls; None for all.
            **error: `message`, `type`, `code`, `retry_after`, `unit`.

        Raises:
            ValueError: If a field is unknown or not what it should be.
        """
        return self.reply(times=times, error={"status": status, **error})

    def _add(self, script: dict[str, Any]) -> str:
        added = self._gateway.tell("scripts", {"when": self._conditions, **script})
        return str(added["name"])


class GatewayClient:
    """A gateway as one test sees it: one namespace.

    Args:
        base_url: Address of the gateway, such as `http://127.0.0.1:14000`.
        namespace: The test's namespace: letters, digits, dots, - and _.
        token: The gateway's token, which its control interface needs; empty where the address
            holds it (`http://127.0.0.1:14000/k/TOKEN`).
    """

    def __init__(self, base_url: str, namespace: str, token: str = "") -> None:
        import httpx

        self.base_url = base_url.rstrip("/")
        self.namespace = namespace
        self._token = token
        headers = {"X-Gateway-Token": token} if token else {}
        self._http = httpx.Client(base_url=self.base_url, timeout=TIMEOUT, headers=headers)

    @property
    def openai_base_url(self) -> str:
        """Base URL for an OpenAI client, which leads into the namespace; it holds the token."""
        door = f"/k/{self._token}" if self._token else ""
        return f"{self.base_url}{door}/t/{self.namespace}/v1"

    @property
    def api_key(self) -> str:
        """API key that leads into the namespace, whatever the URL."""
        return f"sk-e2e-{self.namespace}"

    def requests(self, model: str | None = None, path: str | None = None) -> list[JournalEntry]:
        """The calls so far, oldest first.

        Args:
            model: Only those of one model.
            path: Only those of one path, such as `/v1/chat/completions`.
        """
        entries = [entry_of(one) for one in self._ask("journal")["entries"]]
        return [one for one in entries if model in {None, one.model} and path in {None, one.path}]

    def faults(self, model: str | None = None) -> list[JournalEntry]:
        """The calls that were answered with a fault."""
        return [one for one in self.requests(model) if one.fault is not None]

    def assert_fault_reached_app(self, model: str | None = None) -> None:
        """Fail unless there was a fault, and each one has reached the application.

        A fault that the client tried again by itself, and that failed again, counts by its last
        try.

        Raises:
            AssertionError: With the journal.
        """
        found = [one.fault.reached_app for one in self.faults(model) if one.fault]
        if "absorbed" in found:
            what = "a fault was absorbed by the client"
        elif "unknown" in found:
            what = "the client does not count its retries, so nobody knows what it absorbed"
        elif "reached" not in found:
            what = "there was no fault"
        else:
            return
        raise AssertionError(f"{what}; the journal of {self.namespace}:\n{self._told()}")

    def when(
        self,
        model: str | None = None,
        *,
        path: str | None = None,
        text: str | None = None,
        regex: str | None = None,
        tool_result: str | None = None,
        call: int | None = None,
        after: dict[str, str] | None = None,
    ) -> When:
        """Choose calls to script an answer for; all that is given must be so.

        Args:
            model: Pattern of the model, with `*` and `?`.
            path: Pattern of the path, such as `/v1/responses`.
            text: Part of the last message.
            regex: Expression that is found in the last message.
            tool_result: Part of a tool's result since the model's last turn.
            call: Only the nth such call, from 1.
            after: What must have happened: `{"signal": …}`, `{"script": …}` or `{"call": path}`.
        """
        given = {"model": model, "path": path, "text": text, "regex": regex, "call": call,
                 "tool_result": tool_result, "after": after}  # fmt: skip
        return When(self, {key: value for key, value in given.items() if value is not None})

    def arm(self, fault: str = "fail-once", **where: Any) -> None:
        """Let calls fail, whatever their model is called.

        Args:
            fault: Fault words, such as `fail-once`, `fail-2-http429`, `cut` or `always-fail-call`.
            **where: Patterns `path`, `model` and `key`; `unit` and `times` instead of words.

        Raises:
            ValueError: If there is no such fault.
        """
        self.tell("faults", {"fault": fault, **where})

    def signal(self, name: str) -> None:
        """Tell scripts that wait for a signal that it has happened."""
        self.tell("signals", {"name": name})

    def release(self, hold: str) -> None:
        """Let the answers go that a hold holds, now and later."""
        self.tell("releases", {"name": hold})

    def advance_clock(self, seconds: int) -> None:
        """Move the clock of the namespace on, which `created` is read from."""
        self.tell("clock", {"advance": seconds})

    def unused_scripts(self) -> list[str]:
        """Names of the scripts that were not used as often as they should be."""
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
        return [verdict_of(one) for one in self._ask("verdict")["clients"]]

    def limit_spending(self, usd: float | str) -> None:
        """Let the namespace spend so many US dollars at the real provider, and no more."""
        self.tell("budget", {"usd": str(usd)})

    def bill(self) -> dict[str, Any]:
        """What the gateway has spent at the real provider: in all, by namespace and model.

        Raises:
            ValueError: If it asks no real provider.
        """
        answer = _admitted(self._http.get("/_gateway/bill"))
        if answer.status_code == NOTHING_THERE:
            raise ValueError(answer.json()["error"])
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def unused_recordings(self) -> list[str]:
        """Recordings that nobody has asked for since the gateway began."""
        answer = _admitted(self._http.get("/_gateway/recordings")).raise_for_status()
        names: list[str] = answer.json()["unused"]
        return names

    def reset(self) -> None:
        """Forget everything of the namespace."""
        self.tell("reset", None)

    def tell(self, what: str, value: Any) -> Any:
        """Send something to the control API of the namespace.

        Raises:
            ValueError: If it is not what it should be.
        """
        answer = _admitted(self._http.post(f"/_gateway/t/{self.namespace}/{what}", json=value))
        if answer.status_code == REFUSED:
            raise ValueError(answer.json()["error"])
        return answer.raise_for_status().json()

    def _ask(self, what: str) -> Any:
        answer = _admitted(self._http.get(f"/_gateway/t/{self.namespace}/{what}"))
        return answer.raise_for_status().json()

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
