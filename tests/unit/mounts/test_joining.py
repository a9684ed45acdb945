"""Networks and namespaces that are not the run's own."""

import pytest

from stackproof.errors import ConfigError
from stackproof.plan.mounts.joining import refuse_joins, replaced_joins
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
    assert said.startswith(f"web: `{key}: host` is left out")


def test_an_external_network_is_replaced_and_said_with_its_place(read):
    top = "networks:\n  shared:\n    external: true\n    name: dev_default\n"
    (said,) = replaced_joins(*read("networks: [shared]", top))
    assert "a network of this run stands for the external network dev_default" in said
    assert "(compose.yaml:7)" in said or "(compose.yaml:6)" in said
