"""A pool starts ahead what will be needed next, gives each away once, and ends what is left."""

import itertools
import threading

import pytest

from stackproof.isolation.pool import Pool, has_room, pool_size
from stackproof.waiting import Clock, wait_until


class Starter:
    """Starts numbered things, each when the test lets it."""

    def __init__(self, *, held=False):
        self.numbers = itertools.count(1)
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        if not held:
            self.gate.set()

    def __call__(self):
        number = next(self.numbers)
        self.begun.release()
        assert self.gate.wait(30)
        return number

    @property
    def started(self):
        return next(self.numbers) - 1


def failing():
    raise ValueError("no port")


class ListingPool(Pool):
    """Keeps what was ended because nobody took it."""

    def __init__(self, size, **given):
        self.ended = []
        super().__init__(size, self.ended.append, **given)


def close(pool):
    errors = pool.close(seconds=30)
    return sorted(pool.ended), errors


def test_what_was_started_ahead_is_taken_and_nothing_else_is_started():
    pool, starter = ListingPool(size=1), Starter()
    pool.prepare([("a", starter)])
    assert pool.take("a", pytest.fail).value == 1
    assert starter.started == 1


def test_what_was_not_started_ahead_is_started_when_it_is_asked_for():
    pool, starter = ListingPool(size=1), Starter()
    taken = pool.take("a", starter)
    assert (taken.value, taken.ahead) == (1, False)


def test_nothing_is_given_away_twice():
    pool, starter = ListingPool(size=1), Starter()
    pool.prepare([("a", starter)])
    assert pool.take("a", starter).value == 1
    assert pool.take("a", starter).value == 2


def test_another_kind_is_not_taken_for_it():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter)])
    assert pool.take("b", lambda: "b").value == "b"
    assert pool.waiting == 1


def test_what_is_still_starting_is_waited_for():
    pool, starter = ListingPool(size=1), Starter(held=True)
    pool.prepare([("a", starter)])
    assert starter.begun.acquire(timeout=30)
    threading.Timer(0.01, starter.gate.set).start()
    assert pool.take("a", pytest.fail).ahead


def test_the_time_that_a_taker_waits_is_told():
    now = iter([10.0, 12.5])
    pool = ListingPool(size=0, clock=Clock(now=lambda: next(now)))
    assert pool.take("a", lambda: 1).waited == 2.5


def test_no_more_are_started_than_the_pool_holds():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter), ("a", starter), ("b", starter)])
    assert pool.waiting == 2


def test_asking_again_for_what_is_there_starts_no_other():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter)])
    pool.prepare([("a", starter)])
    assert pool.waiting == 1


def test_two_of_a_kind_are_started_where_two_are_needed():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter)])
    pool.prepare([("a", starter), ("a", starter)])
    assert pool.waiting == 2


def test_a_pool_of_size_0_starts_nothing_ahead():
    pool = ListingPool(size=0)
    pool.prepare([("a", pytest.fail)])
    assert pool.waiting == 0


def test_without_room_nothing_is_started_ahead():
    pool = ListingPool(size=2, room=lambda: False)
    pool.prepare([("a", pytest.fail)])
    assert pool.waiting == 0


def test_a_start_that_failed_is_told_to_the_one_who_takes_it():
    pool = ListingPool(size=1)
    pool.prepare([("a", failing)])
    with pytest.raises(ValueError, match="no port"):
        pool.take("a", pytest.fail)


def test_what_nobody_took_is_ended():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter), ("b", starter)])
    assert close(pool) == ([1, 2], [])
    assert pool.waiting == 0


def test_what_was_not_taken_by_the_one_it_was_for_makes_room_for_the_next():
    pool = ListingPool(size=1)
    pool.prepare([("a", lambda: "a")])
    pool.prepare([("b", lambda: "b")])
    assert pool.take("b", pytest.fail).value == "b"
    assert close(pool) == (["a"], [])


def test_what_is_still_wanted_is_kept():
    pool, starter = ListingPool(size=2), Starter()
    pool.prepare([("a", starter), ("b", starter)])
    pool.prepare([("b", starter)])
    assert pool.waiting == 1
    assert pool.take("b", pytest.fail).ahead


def test_what_is_still_starting_at_the_end_is_ended_when_it_is_there():
    pool, starter = ListingPool(size=1), Starter(held=True)
    pool.prepare([("a", starter)])
    assert starter.begun.acquire(timeout=30)
    threading.Timer(0.01, starter.gate.set).start()
    assert close(pool) == ([1], [])


def test_a_start_that_failed_and_nobody_wanted_is_no_error():
    pool = ListingPool(size=1)
    pool.prepare([("a", failing)])
    assert close(pool) == ([], [])


def test_an_end_that_failed_is_told_with_the_next_one():
    pool, ended = ListingPool(size=1), threading.Event()
    pool.end(failing)
    wait_until(pool._ending[0].done, timeout=30, what="it has failed")
    with pytest.raises(ValueError, match="no port"):
        pool.end(ended.set)
    assert ended.wait(30)


def test_an_end_that_failed_is_told_at_the_end():
    pool = ListingPool(size=1)
    pool.end(failing)
    _, errors = close(pool)
    assert [str(one) for one in errors] == ["no port"]


def test_an_end_that_takes_too_long_is_told():
    pool, gate = ListingPool(size=1), threading.Event()
    pool.end(gate.wait)
    errors = pool.close(seconds=0.01)
    gate.set()
    assert [type(one) for one in errors] == [TimeoutError]


@pytest.mark.parametrize(
    ("setting", "cpus", "workers", "size"),
    [
        (None, 2, 1, 1), (None, 16, 1, 8), (None, 16, 4, 2), (None, 2, 2, 1), (None, 2, 4, 0),
        (0, 16, 1, 0), (3, 2, 4, 3),
    ],
)  # fmt: skip
def test_the_size_follows_the_processors_unless_it_is_set(setting, cpus, workers, size):
    assert pool_size(setting, cpus=cpus, workers=workers) == size


def test_there_is_room_while_the_memory_is_there():
    assert has_room(1)
    assert not has_room(1 << 60)
