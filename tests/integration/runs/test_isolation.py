"""Two copies of the whole system with the same names in them do not meet, whatever one suffers."""

import os
import socket
from contextlib import ExitStack, closing

import httpx
import pytest
from tests.integration.runs.scenario import Tenant, assert_calls, assert_smoke_run_completed

from stackproof.isolation.isolated import open_stack
from stackproof.oracle import Oracle
from stackproof.stack.resolved import StackRequest

HOLD = {"worker": {"RETRY_DELAY_SECONDS": "3600"}}
"""Of a test's own stack: beat retries a failed attempt long after the test."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.stack("runs", isolation="test", env=HOLD),
]

MODEL = "smoke-same"


@pytest.fixture
def neighbour(stack, request):
    """Another copy of the stack, beside the test's own."""
    stack_request = StackRequest(
        request.config.rootpath, dict(os.environ), stack=stack.plan.stack, engine=stack.plan.engine
    )
    said = []
    own = open_stack(stack_request, said.append)
    yield own.stack
    own.close(said.append)


@pytest.fixture
def same_tenant():
    """Makes a user of a stack whose every name is the same in each stack."""
    with ExitStack() as opened:

        def make(stack, oracle):
            http = opened.enter_context(httpx.Client(base_url=stack.url("api"), timeout=30))
            gateway = opened.enter_context(closing(stack.gateway_for("same")))
            tenant = Tenant(stack, http, oracle, nonce="same")
            tenant.open_account(gateway.api_key)
            return tenant, gateway

        yield make


def flush_redis(stack):
    endpoint = stack.endpoint("redis")
    with socket.create_connection((endpoint.host, endpoint.port), timeout=20) as link:
        link.sendall(b"FLUSHALL\r\n")
        assert link.recv(100) == b"+OK\r\n"


def test_what_one_copy_suffers_the_other_one_does_not_notice(stack, neighbour, same_tenant, oracle):
    suffering, failing = same_tenant(stack, Oracle())
    living, answering = same_tenant(neighbour, oracle)
    failing.when(model=MODEL).fail(500)

    failed, completed = suffering.start("smoke", MODEL), living.start("smoke", MODEL)
    suffering.wait_for(failed, "retry_scheduled")
    assert_smoke_run_completed(living.wait_for(completed, "completed"))
    assert_calls(failing, MODEL, [500])
    assert_calls(answering, MODEL, [200] * 5)

    flush_redis(stack)
    stack.psql(["-c", "drop table runs cascade"], service="postgres")
    stack.service("worker").kill()

    assert suffering.http.get(f"/runs/{failed}").is_server_error
    assert_smoke_run_completed(living.show(completed))
    assert_smoke_run_completed(living.wait_for(living.start("smoke", MODEL), "completed"))
