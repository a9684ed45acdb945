"""The outside of the service: does it still look as the expectations say?"""

import uuid

import httpx
import pytest
from tests.e2e.plans.event_stream import watching

pytestmark = [pytest.mark.e2e, pytest.mark.stack("plans", isolation="module")]

MIGRATE = "alembic upgrade head"
THREE_AT_ONCE = (
    f"{MIGRATE} & a=$!; {MIGRATE} & b=$!; {MIGRATE} & c=$!; wait $a && wait $b && wait $c"
)
NOBODY = "00000000-0000-4000-8000-000000000000"


def test_the_server_speaks_the_protocol_and_has_the_tools(planner, expected):
    told = planner.mcp.initialize()

    assert told["protocolVersion"] == expected.protocol
    tools = planner.mcp.tools()
    parameters = {name: list(one["inputSchema"]["properties"]) for name, one in tools.items()}
    assert parameters == expected.tools


def test_the_server_is_healthy(stack, expected):
    assert httpx.get(stack.url(expected.service) + "/healthcheck").status_code == httpx.codes.OK


def test_the_tables_have_their_columns(operator, expected):
    for table, columns in expected.columns.items():
        found = operator.rows(
            f"select column_name from information_schema.columns where table_name = '{table}'"  # noqa: S608 - from the expectations
        )
        assert set(columns) <= {one["column_name"] for one in found}, table


def test_workers_say_that_they_live(operator):
    assert operator.rows("select id from workers where heartbeat > now() - interval '10 s'")


def test_there_are_prompts_and_models_to_choose_from(planner, expected):
    assert planner.mcp.call("example_prompts")["samples"]
    told = planner.mcp.call("model_profiles")
    assert [one["profile"] for one in told["profiles"]] == expected.profiles
    assert told["default_profile"] in expected.profiles
    for one in told["profiles"]:
        assert one["model_count"] == len(one["models"]) > 0
        assert set(one["models"][0]) == {"key", "provider_class", "model", "priority"}


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("plan_status", {"plan_id": NOBODY}, "PLAN_NOT_FOUND"),
        ("plan_status", {"plan_id": "nonsense"}, "PLAN_NOT_FOUND"),
        ("plan_stop", {"plan_id": NOBODY}, "PLAN_NOT_FOUND"),
        ("plan_retry", {"plan_id": NOBODY}, "PLAN_NOT_FOUND"),
        ("plan_resume", {"plan_id": NOBODY}, "PLAN_NOT_FOUND"),
        ("plan_file_info", {"plan_id": NOBODY}, "PLAN_NOT_FOUND"),
        ("plan_file_info", {"plan_id": NOBODY, "artifact": "shoes"}, "INVALID_ARGUMENT"),
        ("plan_list", {"limit": 0}, "INVALID_ARGUMENTS"),
        ("plan_list", {"limit": 51}, "INVALID_ARGUMENTS"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(planner, tool, arguments, code):
    assert planner.refusal(tool, **arguments) == code


def test_the_event_stream_tells_the_way_of_a_plan(stack, planner, calls, expected):
    first = expected.step(1)
    with calls.held(first) as let_go:
        plan = planner.create(f"A plan for {uuid.uuid4()}.")
        url = f"{stack.url(expected.service)}/sse/plan/{plan}"
        with watching(url) as stream:
            welcome = stream.next()
            let_go()
            events = [welcome, *stream.rest()]

    assert {one.name for one in events} <= {"status", "heartbeat", "complete"}
    assert [one.name for one in events].index("complete") == len(events) - 1
    told = [one.data for one in events if one.name != "heartbeat"]
    assert {one["plan_id"] for one in told} == {plan}
    assert told[-1]["state"] == expected.states.done
    shares = [one["progress_percentage"] for one in told]
    assert shares == sorted(shares)
    assert shares[-1] == 100


def test_the_event_stream_of_no_plan_says_so(stack, expected):
    url = f"{stack.url(expected.service)}/sse/plan/{NOBODY}"
    with watching(url) as stream:
        [only] = stream.rest()

    assert (only.name, only.data["code"]) == ("error", "PLAN_NOT_FOUND")


def test_a_download_without_a_good_token_is_refused(stack, planner, expected):
    plan = planner.create("A plan that nobody reads.")
    planner.wait_for(plan, expected.states.done)
    link = f"{stack.url(expected.service)}/download/{plan}/report.html"

    for token in ("", "?token=", "?token=1.00", "?token=99999999999.00"):
        assert httpx.get(link + token).status_code == httpx.codes.UNAUTHORIZED


def test_migrations_at_the_same_time_wait_for_each_other(stack, operator, expected):
    operator.empty_database()
    service = stack.service(expected.service)

    done = service.exec(["sh", "-c", THREE_AT_ONCE])

    assert done.exit_code == 0, done.stderr
    test_the_tables_have_their_columns(operator, expected)
