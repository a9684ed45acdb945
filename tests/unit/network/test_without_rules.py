"""A kernel that allows no rules of nftables: what works without them, and what is said."""

import pytest
from tests.unit.network.conftest import destinations, place, start_world, with_rooms
from tests.unit.network.test_rooms import BREAKS, PING, REFUSED

WITHOUT_RULES = """
from stackproof.engines.process.world.network import nftables
def refuse(*_):
    raise PermissionError(1, "Operation not permitted")
nftables.Tables.set_rules = refuse
from stackproof.engines.process.world.network.__main__ import main
main()
"""


def test_without_rules_of_nftables_a_list_of_ports_is_passed_on_and_that_is_said(
    tmp_path, request, elsewhere
):
    world = start_world("root", tmp_path, request, program=WITHOUT_RULES)
    try:
        said = world.ask("open", 5432)
        assert "connections to other places are passed on to the ports 22, 25, 80, 443" in said
        assert said.endswith("(Operation not permitted)")
        assert " 5432" not in said
        with_rooms(world)
        assert world.run("web", REFUSED, *elsewhere, 10) == "ConnectionRefusedError"
        (told,) = destinations(world, address=elsewhere[0])
        assert told["refused"] == "this port is not passed on here"
        world.run("web", BREAKS, elsewhere[0], 9418)
        assert destinations(world, address=elsewhere[0], port=9418, refused="")
    finally:
        world.close()


def test_where_rules_are_not_allowed_a_cut_works_and_other_faults_are_refused(tmp_path, request):
    made = start_world("root", tmp_path, request, program=WITHOUT_RULES)
    try:
        made.ask("room", "a", place("front", "172.18.0.2", "a"))
        made.ask("room", "b", place("front", "172.18.0.3", "b"))
        for fault in (("lose", "a", "b", 5), ("pace", "a", "b", {"delay": 1})):
            with pytest.raises(
                ValueError, match=r"^(lose|hold up) a b: .* not permitted; a cut needs"
            ):
                made.ask(*fault)
        assert made.run("a", PING, "172.18.0.3")
        made.ask("cut", "a", "b")
        short = PING.replace("settimeout(10)", "settimeout(0.3)")
        assert made.ask("run", "a", short, "172.18.0.3")[0] != 0
    finally:
        made.close()
