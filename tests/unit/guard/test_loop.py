"""The loop calls back whom an event is meant for, and nobody else."""

import socket

from stackproof.engines.process.guard.loop import READ, Loop


def ready_pair():
    """A socket that something can be read from, and its other side."""
    one, other = socket.socketpair()
    other.sendall(b"x")
    return one, other


def test_an_event_of_a_closed_socket_is_not_told_to_the_next_one_with_its_number():
    loop, called, opened = Loop(), [], []
    pairs = [ready_pair(), ready_pair()]
    by_number = {one.fileno(): one for one, _ in pairs}

    def replace_the_other(number):
        (other,) = by_number.keys() - {number}
        loop.forget(number)
        loop.forget(other)
        by_number[other].close()
        opened.extend(socket.socketpair())
        assert other in {one.fileno() for one in opened}
        loop.watch(other, READ, called.append)

    for number in by_number:
        loop.watch(number, READ, replace_the_other)
    loop.step()
    loop.later(0, lambda: called.append("later"))
    loop.step()
    assert called == ["later"]
    for one in (*opened, *(one for pair in pairs for one in pair)):
        one.close()


def test_appointments_are_kept_in_their_order():
    loop, called = Loop(), []
    for name, seconds in (("third", 0.02), ("first", 0.0), ("second", 0.01)):
        loop.later(seconds, lambda name=name: called.append(name))
    while len(called) < 3:
        loop.step()
    assert called == ["first", "second", "third"]


def test_a_socket_that_was_forgotten_is_heard_no_more():
    loop, called = Loop(), []
    one, other = ready_pair()
    loop.watch(one.fileno(), READ, called.append)
    loop.forget(one.fileno())
    loop.forget(one.fileno())
    loop.later(0, lambda: None)
    loop.step()
    assert called == []
    one.close()
    other.close()
