"""The benchmarks can be started: they use what stackproof has, by the names that it has."""

from benchmarks import __main__ as main
from benchmarks import measurements


def test_every_measurement_is_there():
    assert measurements.ALL
    assert all(callable(measure) for measure in measurements.ALL.values())


def test_a_result_is_measured_again_by_its_name(monkeypatch):
    monkeypatch.setattr(main, "ALL", {"up": 1, "up-private": 2, "isolated": 3, "isolated-warm": 4})
    assert main._named("isolated") == [3, 4]
    assert main._named("isolated-process-cold-up") == [3]
    assert main._named("up-private-again") == [2]
    assert main._named("other") == []
