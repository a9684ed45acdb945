"""What databases and brokers hold when a test has failed: rows of queries, and queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from stackproof.artifacts.run import RunArtifacts
from stackproof.engines.base import CommandResult
from stackproof.errors import StackproofError
from stackproof.plan.model import ServicePlan
from stackproof.plan.services.known_images import recognise
from stackproof.stack.postgres import rows_as_json
from stackproof.stack.running import Stack

T = TypeVar("T")

SECONDS = 20.0
"""How long a server may take: a test has failed, and the server may be what hangs."""

MOST_ROWS = 200
READ_ONLY = f"-c default_transaction_read_only=on -c statement_timeout={int(SECONDS * 500)}"
"""The server itself ends a query, in half of the time, and says so."""

QUEUES = """
Queues = fun(Host) -> [begin
  Value = fun(Key) -> proplists:get_value(Key, Info) end,
  Text = fun(Found) when is_binary(Found) -> Found; (_) -> null end,
  Policy = case Value(effective_policy_definition) of
    Set when is_list(Set) -> Set; _ -> [] end,
  Letters = case lists:keyfind(<<"x-dead-letter-exchange">>, 1, Value(arguments)) of
    {_, _, Exchange} -> Exchange;
    false -> proplists:get_value(<<"dead-letter-exchange">>, Policy) end,
  #{vhost => Host, name => element(4, Value(name)), ready => Value(messages_ready),
    unacked => Value(messages_unacknowledged), consumers => Value(consumers),
    dead_letters_to => Text(Letters),
    bound_to => [element(4, element(2, Binding)) ||
      Binding <- rabbit_binding:list_for_destination(Value(name))]}
end || Info <- rabbit_amqqueue:info_all(Host, [name, messages_ready,
  messages_unacknowledged, consumers, arguments, effective_policy_definition])] end,
io:put_chars(rabbit_json:encode(
  lists:append([Queues(Host) || Host <- rabbit_vhost:list_names()]))).
"""
"""One question for all virtual hosts: each question starts Erlang (rabbitmqctl(8), `eval`)."""

Queue = Mapping[str, Any]


def keep_evidence(
    stack: Stack, artifacts: RunArtifacts, folder: str, kept: list[Path]
) -> list[str]:
    """Write what the databases and brokers of a stack hold.

    Args:
        stack: The stack that a test has failed on.
        artifacts: Where to write; it masks secrets.
        folder: Folder of the failure.
        kept: The files that were written; those of the evidence are added.

    Returns:
        A line for each thing that could not be read.
    """
    problems: list[str] = []
    rows: dict[str, object] = {}
    for sql in stack.plan.evidence.sql:
        found = _tried(problems, f"`{sql}`", partial(_rows, stack, sql))
        rows[sql] = problems[-1] if found is None else found
    if rows:
        kept.append(artifacts.write_json(f"{folder}/rows.json", rows))
    lines: list[str] = []
    for name in [service.name for service in stack.plan.services if is_broker(service)]:
        queues = _tried(problems, f"the queues of {name}", partial(_queues, stack, name))
        lines += [problems[-1]] if queues is None else [f"{name}:", *queue_lines(queues)]
    if lines:
        kept.append(artifacts.write_lines(f"{folder}/queues.txt", lines))
    return problems


def is_broker(service: ServicePlan) -> bool:
    """Whether a service is a RabbitMQ, native or in a container."""
    if service.runtime is not None:
        return service.runtime.image == "rabbitmq"
    known = recognise(service.image)
    return known is not None and known.name == "rabbitmq"


def queue_lines(queues: Iterable[Queue]) -> Iterator[str]:
    """Each queue as a line: name, depth, unacknowledged messages, consumers, dead letters.

    Args:
        queues: What the broker has told.
    """
    found = sorted(queues, key=lambda queue: (queue["vhost"], queue["name"]))
    sinks = {(queue["vhost"], queue["dead_letters_to"]) for queue in found}
    if not found:
        yield "  no queues"
    for queue in found:
        host = queue["vhost"]
        parts = [f"{queue['ready']} ready, {queue['unacked']} unacked"]
        parts.append("1 consumer" if queue["consumers"] == 1 else f"{queue['consumers']} consumers")
        if queue["dead_letters_to"] is not None:
            parts.append(f"dead letters go to {queue['dead_letters_to'] or 'the default exchange'}")
        if any((host, exchange) in sinks for exchange in queue["bound_to"] if exchange):
            parts.append("holds dead letters")
        yield f"  {host} {queue['name']}: {', '.join(parts)}"


def _tried(problems: list[str], what: str, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except StackproofError as error:
        first = (error.observed.splitlines() or [""])[0]
        problems.append(f"evidence: {what} could not be read: {first or error.what}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        problems.append(f"evidence: {what} could not be read: {error}")
    return None


def _rows(stack: Stack, sql: str) -> list[dict[str, Any]]:
    """The first rows of a query, which may write nothing and take a bounded time."""
    name = stack.plan.evidence.service or stack.database_service()
    bounded = rows_as_json(f'select * from ({sql}) "all" limit {MOST_ROWS}')  # noqa: S608 - the user's own query
    argv, environment = stack.psql_command(["-At", "-c", bounded], name)
    environment = {**environment, "PGOPTIONS": READ_ONLY}
    done = stack.service(name).exec(argv, environment=environment, timeout=SECONDS)
    rows: list[dict[str, Any]] = json.loads(_output(done))
    return rows


def _queues(stack: Stack, service: str) -> list[Queue]:
    argv = ["rabbitmqctl", "-q", "eval", QUEUES]
    output = _output(stack.service(service).exec(argv, timeout=SECONDS))
    queues, _ = json.JSONDecoder().raw_decode(output.lstrip())  # what follows is the value `ok`
    return list(queues)


def _output(done: CommandResult) -> str:
    if done.exit_code:
        text = done.stderr.strip() or done.stdout.strip()
        raise ValueError((text.splitlines() or [f"exit status {done.exit_code}"])[0])
    return done.stdout
