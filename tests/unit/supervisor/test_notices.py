"""What can't be done as it was told is said once, whatever the number of services."""

from stackproof.engines.process.control import Control
from stackproof.engines.process.limits import ControlGroups
from stackproof.engines.process.spec import ServiceSpec


def test_limits_without_control_groups_are_one_notice(tmp_path):
    nowhere = tmp_path / "no-folder"
    nowhere.touch()
    groups = ControlGroups("run", tmp_path / "listing", root=nowhere)
    spec = ServiceSpec(
        name="api", argv=["true"], env={}, cwd="/", cpus=1.0, memory=1 << 30, pids=64
    )
    [notice] = groups.make(spec).notices
    assert notice.startswith("no limit of cpu, memory, pids is enforced: ")


def test_what_concerns_many_services_is_one_line(monkeypatch):
    services = [{"name": name, "notices": ["no limit of cpu is enforced"]} for name in "abc"]
    services.append({"name": "d", "notices": ["/x may hold more than 4m"]})
    control = Control(run=None)
    monkeypatch.setattr(control, "_done", lambda _op: {"services": services})
    assert control.notices() == [
        "a, b, c: no limit of cpu is enforced",
        "d: /x may hold more than 4m",
    ]
