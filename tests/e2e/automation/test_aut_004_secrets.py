"""AUT-004: an action reads its secret from standard input, and nobody finds it anywhere else."""

import base64
import hashlib
import json
import uuid

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

SEARCH = 'cd "$LOGS_DIR/.." && grep -rlF -e "$0" . && exit 1; test -d logs -a -d artifacts'
ACTION = "test_pack.use_secret"
SERVICES = ["api", "executor", "worker", "sensor", "notifier", "postgres", "rabbitmq"]
TABLES = "select table_name from information_schema.tables where table_schema = 'public'"


def forms_of(secret):
    """The secret as it is, and as others may write it."""
    raw = secret.encode()
    return {secret, raw.hex(), base64.b64encode(raw).decode().rstrip("=")[:-2]}


def places_with(secret, stack, operator, watcher, *ends):
    """Where the secret stands: database, logs, notifications, results, files of the worker."""
    tables = [row["table_name"] for row in operator.rows(TABLES) if row["table_name"] != "packs"]
    held = {
        "database": json.dumps([operator.rows(f"select * from {name}") for name in tables]),  # noqa: S608 - names of tables
        "notifications": json.dumps(watcher.frames),
        "results": json.dumps(ends),
        **{f"log of {name}": stack.service(name).logs() for name in SERVICES},
    }
    found = [place for place, text in held.items() for form in forms_of(secret) if form in text]
    searched = stack.service("worker").exec(["sh", "-c", SEARCH, secret])
    if searched.exit_code != 0:
        found.append(f"files of the worker: {searched.stdout}{searched.stderr}")
    return found


def test_only_standard_input_tells_a_secret(stack, user, operator, watch):
    secret = f"canary-{uuid.uuid4()}"
    watcher = watch()
    watcher.subscribe("all")
    user.keep_secret("test_pack.token", secret)
    assert user.some("keys") == [{"ref": "test_pack.token"}], "the API tells no value"

    told = user.wait_for(user.execute(ACTION), "completed")["result"]
    careless = user.wait_for(user.execute(ACTION, leak=True), "completed")
    watcher.wait_for_end_of(careless["id"], "completed")
    operator.wait_until_settled()

    assert told["digest"] == hashlib.sha256(secret.encode()).hexdigest(), "it has not got it"
    assert not told["in_environment"]
    assert not told["in_argv"]
    assert not told["in_environment_of_worker"]
    assert set(told["names_in_environment"]) <= {"HOME", "LANG", "LC_CTYPE", "PATH"}
    assert careless["result"]["leaked"] == "the token is ********"
    assert places_with(secret, stack, operator, watcher, told, careless) == []


def test_the_search_finds_a_secret_that_an_action_was_given_in_the_open(
    stack, user, operator, watch
):
    secret = f"canary-{uuid.uuid4()}"
    watcher = watch()
    watcher.subscribe("all")
    done = user.wait_for(user.execute("test_pack.echo", message=secret), "completed")

    found = places_with(secret, stack, operator, watcher, done)

    assert {"database", "results"} <= set(found)
