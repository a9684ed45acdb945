"""Networks and namespaces that are not the run's own."""

import pytest

from stackproof.errors import ConfigError
from stackproof.plan.mounts.joining import reaching_out, refuse_joins, replaced_joins
from stackproof.stack_file import load_stack_file


@pytest.fixture
def read(tmp_path):
    """Reads a stack file of one service with further lines, and further top-level lines."""

    def read(line, top=""):
        path = tmp_path / "compose.yaml"
        path.write_text(f"services:\n  web:\n    image: x\n    {line}\n{top}")
        stack_file = load_stack_file([path], {})
        return stack_file, stack_file.services["web"]

    return read


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize(
    "line",
    [
        "network_mode: container:theirs",
        "pid: container:theirs",
        "ipc: container:theirs",
        "external_links: [theirs_db:db]",
    ],
)
def test_joining_a_container_outside_the_stack_is_refused(read, line, engine):
    with pytest.raises(ConfigError, match=r"compose\.yaml:4: services\.web\.\w+: web ") as caught:
        refuse_joins(*read(line), engine)
    assert "theirs" in str(caught.value)
    assert caught.value.remedy


def test_this_machines_network_is_refused_with_containers_only(read):
    found = read("network_mode: host")
    refuse_joins(*found, "process")  # addresses are translated there, whatever network it has
    with pytest.raises(ConfigError, match="joins this machine's network"):
        refuse_joins(*found, "compose")


@pytest.mark.parametrize(
    "line", ["network_mode: service:web2", "pid: service:web2", "ipc: private"]
)
def test_joining_a_service_of_the_stack_is_fine(read, line):
    refuse_joins(*read(f"{line}\n  web2:\n    image: x"), "compose")


@pytest.mark.parametrize("key", ["pid", "ipc", "uts", "cgroup", "userns_mode"])
def test_a_namespace_of_this_machine_is_left_out_and_said(read, key):
    (said,) = replaced_joins(*read(f"{key}: host"))
    assert said.startswith(f"web: `{key}: host` is ignored")


def test_an_external_network_is_replaced_and_said_with_its_place(read):
    top = "networks:\n  shared:\n    external: true\n    name: dev_default\n"
    (said,) = replaced_joins(*read("networks: [shared]", top))
    assert "a network of this run stands for the external network dev_default" in said
    assert "(compose.yaml:7)" in said or "(compose.yaml:6)" in said


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_a_network_that_is_part_of_this_machines_own_is_replaced_and_said(read, driver):
    found = read(f"networks: [lan]\nnetworks:\n  lan:\n    driver: {driver}")
    (said,) = replaced_joins(*found)
    assert f"stands for the {driver} network lan" in said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("privileged: true", "can use every device of this machine"),
        ("devices: [/dev/kvm]", "uses devices of this machine (`devices`)"),
        ("device_cgroup_rules: [c 1:3 mr]", "(`device_cgroup_rules`)"),
        ("gpus: all", "uses the GPUs of this machine (`gpus`)"),
        ("cgroup_parent: x.slice", "(`cgroup_parent`)"),
    ],
)
def test_what_a_container_gets_of_this_machine_is_said(read, line, told):
    (said,) = reaching_out(*read(line))
    assert said.startswith("web: ")
    assert told in said


def test_an_ordinary_service_gets_nothing_of_this_machine(read):
    assert list(reaching_out(*read("privileged: false"))) == []
