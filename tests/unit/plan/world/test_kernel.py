"""What a service asks of the kernel, and what of it its room gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.world.kernel import CAPABILITIES, HARMLESS, capabilities_of, shortfalls_of
from stackproof.stack_file.model import Service

DEFAULT = set(CAPABILITIES.values())
NAMES = st.lists(
    st.sampled_from([*CAPABILITIES, *HARMLESS, "ALL", "SYS_ADMIN", "cap_net_admin", "x"])
)


@pytest.mark.parametrize(
    ("added", "dropped", "expected"),
    [
        ((), (), DEFAULT),
        (("NET_ADMIN",), (), DEFAULT | {12}),
        (("cap_net_admin",), ("CAP_CHOWN",), (DEFAULT | {12}) - {0}),
        (("NET_BIND_SERVICE",), ("ALL",), {10}),
        (("SYS_ADMIN",), (), DEFAULT),
    ],
)
def test_rights_are_added_and_dropped_by_name(added, dropped, expected):
    assert set(capabilities_of(Service("web", cap_add=added, cap_drop=dropped))) == expected


@given(NAMES, NAMES)
def test_no_right_is_given_that_reaches_beyond_the_room(added, dropped):
    service = Service("web", cap_add=tuple(added), cap_drop=tuple(dropped))
    assert set(capabilities_of(service)) <= DEFAULT | set(HARMLESS.values())
    told = dict(shortfalls_of(service)).get("cap_add", "")
    assert ("SYS_ADMIN" in told) == ("SYS_ADMIN" in added)


def test_what_a_room_can_not_give_is_said_when_planning(planning):
    app = planning.native(
        "app",
        cap_add=("SYS_TIME",),
        sysctls={"vm.swappiness": "1", "net.core.somaxconn": "10"},
        ulimits={"nofile": (10, 20), "locks": (1, 1)},
    )
    plan = planning.plan(app, world="private")
    told = "\n".join(plan.notices)
    assert "does not get SYS_TIME (`cap_add`)" in told
    assert "sees this machine's vm.swappiness (`sysctls`)" in told
    assert "has this machine's locks (`ulimits`)" in told
    world = plan.service("app").world
    assert (world.settings, world.limits) == ({"net.core.somaxconn": "10"}, {"nofile": (10, 20)})


def test_who_shares_a_network_shares_its_settings(planning):
    peer = planning.native("peer")
    app = planning.native(
        "app", network_mode="service:peer", sysctls={"net.core.somaxconn": "1", "kernel.sem": "1"}
    )
    assert planning.private(app, peer).world.settings == {"kernel.sem": "1"}


def test_a_process_of_this_machine_gets_none_of_it_and_that_is_said(planning):
    app = planning.native(
        "app", cap_add=("NET_ADMIN",), cap_drop=("KILL",), sysctls={"net.a": "1"},
        ulimits={"nofile": (1, 1)},
    )  # fmt: skip
    told = "\n".join(planning.plan(app).notices)
    for key in ("cap_add", "cap_drop", "sysctls", "ulimits"):
        assert f"(`{key}`)" in told
