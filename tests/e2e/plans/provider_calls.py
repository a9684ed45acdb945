"""The gateway's journal as the scenarios read it: which step of which plan was asked, how often."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.plans.expectations import Expectations

from stackproof import wait_until
from stackproof_gateway.client import GatewayClient

ARRIVES_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class ProviderCalls:
    """Model calls of the service.

    Attributes:
        gateway: Who answers them.
        expected: How the steps are told apart.
    """

    gateway: GatewayClient
    expected: Expectations

    def by_step(self, status: int | None = None) -> Counter[str]:
        """How often each step was asked, with this status where one is given."""
        return Counter(
            _found(self.expected.step_pattern, call.request)
            for call in self.gateway.requests()
            if status in {None, call.status}
        )

    def by_prompt_and_step(self) -> Counter[tuple[str, str]]:
        """How often each step was asked for each prompt."""
        return Counter(
            (
                _found(self.expected.prompt_pattern, call.request),
                _found(self.expected.step_pattern, call.request),
            )
            for call in self.gateway.requests()
        )

    def once_each(self, **exceptions: int) -> Counter[str]:
        """Every step asked once, but for the exceptions."""
        return Counter({**dict.fromkeys(self.expected.steps, 1), **exceptions})

    def when(self, step: str, **conditions: Any) -> Any:
        """Choose the calls of a step to script an answer for."""
        return self.gateway.when(text=self.expected.text_of(step), **conditions)

    @contextmanager
    def held(self, step: str) -> Iterator[Callable[[], None]]:
        """Hold the provider's next answer to a step for the time of a `with` block.

        It gets a function that lets the answer go earlier.
        """
        name = f"hold-{uuid.uuid4()}"
        self.when(step).reply(hold=name, times=1)
        try:
            yield lambda: self.gateway.release(name)
        finally:
            self.gateway.release(name)

    def wait_for(self, step: str, count: int = 1) -> None:
        """Wait until a step was asked so often; the answer may still be on its way."""
        wait_until(
            lambda: self.by_step()[step] >= count,
            timeout=ARRIVES_WITHIN,
            what=f"model call {count} of step {step}",
        )


def _found(pattern: str, request: Any) -> str:
    text = request["messages"][-1]["content"]
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, f"no {pattern!r} in {text!r}"
    return found[1]
