"""A project with a broker, as both engines run it: users and queues from files, a seed, tests."""

FILES = {
    "compose.yaml": """\
services:
  mq:
    image: ${RABBITMQ_IMAGE:-rabbitmq:3}
    volumes:
      - ./mq/rabbitmq.conf:/etc/rabbitmq/rabbitmq.conf:ro
      - ./mq/definitions.json:/etc/rabbitmq/definitions.json:ro
      - data:/var/lib/rabbitmq
    healthcheck: {test: rabbitmq-diagnostics -q check_running, interval: 2s, retries: 60}
volumes: {data: {}}
""",
    "mq/rabbitmq.conf": """\
listeners.tcp.default = 5672
load_definitions = /etc/rabbitmq/definitions.json
""",
    "mq/definitions.json": """\
{"users": [{"name": "shop", "password": "shop-e2e", "tags": "administrator"}],
 "vhosts": [{"name": "orders"}],
 "permissions": [{"user": "shop", "vhost": "orders", "configure": ".*", "write": ".*",
                  "read": ".*"}],
 "queues": [{"name": "jobs", "vhost": "orders", "durable": true, "auto_delete": false,
             "arguments": {}}]}
""",
    "pytest.ini": "[pytest]\n",
    "tests/test_own.py": """\
import pytest

def asked(stack, *words):
    done = stack.service("mq").exec(["rabbitmqctl", "-q", *words])
    assert done.exit_code == 0, done.stdout
    return done.stdout.split()

@pytest.mark.parametrize("number", range(2))
def test_has_a_broker_with_what_was_seeded_and_nothing_of_others(stack, number):
    words = asked(stack, "eval", (
        "[rabbit_amqqueue:list_names(), rabbit_vhost:list_names(),"
        f" rabbit_vhost:add(<<\\"own{number}\\">>, <<\\"me\\">>)]."
    ))
    found = "".join(words)
    assert "jobs" in found and "orders" in found and "seeded" in found, found
    assert "own" not in found, found
    assert stack.url("mq").startswith("amqp://127.0.0.1:")
""",
}

FAILING = """\
def test_fails(stack):
    assert stack.service("mq").state().is_well
    raise AssertionError("on purpose")
"""

SEED = "seed: {service: mq, command: [rabbitmqctl, add_vhost, seeded]}\n"
