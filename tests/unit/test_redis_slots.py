"""Logical databases of one Redis for several stacks, on a server that knows just enough."""

import socketserver
import threading

import pytest

from stackproof.errors import ConfigError, StackproofError
from stackproof.isolation.redis_slots import RedisSlots


class Server(socketserver.ThreadingTCPServer):
    """Keeps keys by logical database."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, databases=16, password=""):
        super().__init__(("127.0.0.1", 0), Handler)
        self.stores = [{} for _ in range(databases)]
        self.password = password
        self.acl = []


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        index, is_known = 0, not self.server.password
        while words := self._command():
            name, *rest = words
            store = self.server.stores[index]
            answer = "+OK"
            if name == "AUTH":
                is_known = rest == [self.server.password]
            elif not is_known:
                answer = "-NOAUTH Authentication required."
            elif name == "SELECT":
                index = int(rest[0])
            elif name == "ACL":
                self.server.acl = rest
            elif name == "CONFIG":
                answer = self._array(["databases", str(len(self.server.stores))])
            elif name == "KEYS":
                answer = self._array(store)
            elif name == "FLUSHDB":
                store.clear()
            elif name == "COPY":
                self.server.stores[int(rest[3])][rest[1]] = store[rest[0]]
                answer = ":1"
            self.wfile.write(answer.encode() + b"\r\n")

    def _array(self, words):
        parts = [f"*{len(words)}", *(part for word in words for part in (f"${len(word)}", word))]
        return "\r\n".join(parts)

    def _command(self):
        count = int(self.rfile.readline()[1:] or 0)
        return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2].decode()
                for _ in range(count)]  # fmt: skip


@pytest.fixture
def serve():
    """Starts servers; gives each with the means to share it."""
    started = []

    def start(*, width=1, given="", **options):
        server = Server(**options)
        started.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, lambda: RedisSlots(
            "cache", server.server_address, width=width, password=given
        )

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_no_block_is_given_twice_and_the_first_to_nobody(serve):
    _, share = serve(databases=4)
    slots = share()
    assert [slots.take() for _ in range(4)] == [1, 2, 3, None]


def test_a_block_has_as_many_as_the_stack_uses(serve):
    _, share = serve(databases=8, width=3)
    slots = share()
    assert [slots.take() for _ in range(2)] == [3, None]


def test_a_block_begins_with_the_keys_after_seed_and_no_others(serve):
    server, share = serve(width=2, databases=6)
    server.stores[1]["seeded"] = "yes"
    slots = share()
    server.stores[3]["left"] = "by somebody"
    assert slots.take() == 2
    assert server.stores[2:4] == [{}, {"seeded": "yes"}]


def test_a_block_that_was_given_back_is_emptied_and_given_again(serve):
    server, share = serve(databases=2)
    slots = share()
    first = slots.take()
    server.stores[first]["own"] = "1"
    slots.give_back(first)
    assert server.stores[first] == {}
    assert slots.take() == first


def test_commands_that_reach_all_are_refused_from_then_on(serve):
    server, share = serve()
    share()
    assert server.acl == ["SETUSER", "default", "-flushall", "-swapdb"]


def test_a_password_is_said_first(serve):
    _, share = serve(password="hush", given="hush")
    assert share().take() == 1
    _, share = serve(password="hush", given="")
    with pytest.raises(StackproofError, match="cache can't be shared") as told:
        share()
    assert "NOAUTH" in str(told.value)


def test_too_few_logical_databases_are_an_error_that_says_how_many(serve):
    _, share = serve(databases=3, width=2)
    with pytest.raises(ConfigError, match="the stack uses 2 logical databases") as told:
        share()
    assert "the server has 3" in str(told.value)
