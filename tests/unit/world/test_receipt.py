"""A receipt says what is so: a probe finds its way open where its layer is left out."""

import pytest

from stackproof.engines.process.receipt.probes import PROBES

BY_ROOT = {"programs", "cgroups", "sysctl"}
"""What a user of this machine may not do either, and root where its own surroundings allow it."""

OPENED = {
    "mounts": {"outside", "keys"},
    "processes": {"processes"},
    "network": {"ports", "published", "names", "abstract"},
    "ipc": {"shared_memory"},
    "capabilities": {"mounts"},
    "no_new_privileges": {"rights"},
    "read_only_proc": {"sysctl"},
    "read_only_usr": {"programs"},
    "processes and capabilities": {"outside", "processes", "memory", "mounts"},
}
"""Layers that are left out → the probes that find their way open then, as root."""

WITHOUT_USERS = {
    "users": {"devices"},
    "users and network": {"devices", "ports", "published", "names", "abstract", "packets"},
}
"""The same where root is no user namespace's root, but the machine's."""


def opened(receipt):
    return {name for name, one in receipt["found"].items() if one["verdict"] == "open"}


def test_a_whole_room_leaves_no_way_open(supervised):
    receipt = supervised("receipts")["nothing"]
    assert {name: one["verdict"] for name, one in receipt["found"].items()} == dict.fromkeys(
        PROBES, "enforced"
    )


def test_every_probe_can_find_its_way_open():
    assert set().union(*OPENED.values(), *WITHOUT_USERS.values(), BY_ROOT) == set(PROBES)


@pytest.mark.parametrize("layers", OPENED)
def test_a_layer_that_is_left_out_is_seen(supervised, layers):
    found, expected = opened(supervised("receipts")[layers]), OPENED[layers]
    if not supervised.has_all_ids:
        expected = expected - BY_ROOT
    assert found >= expected
    assert found - expected <= (BY_ROOT if layers == "mounts" else set())


@pytest.mark.parametrize("layers", WITHOUT_USERS)
def test_the_rights_of_real_root_are_seen(supervised, layers):
    if supervised.has_all_ids:  # an ordinary user has no rights to keep
        assert opened(supervised("without_users")[layers]) == WITHOUT_USERS[layers]


def test_a_root_by_chroot_alone_is_left(supervised):
    *straight, climbed = supervised("receipts")["all but a chroot"]["found"]["outside"]["attempts"]
    assert {one["verdict"] for one in straight} == {"enforced"}
    assert (climbed["verdict"], climbed["observed"]) == ("open", "it was written")


def test_each_attempt_says_what_came_back(supervised):
    found = supervised("receipts")["nothing"]["found"]
    ways = [way for one in found.values() for way in one["attempts"]]
    assert all(way["tried"] and way["observed"] for way in ways)
    assert found["sysctl"]["attempts"][0]["observed"] in {
        "Read-only file system", "Permission denied"
    }  # fmt: skip
    assert found["keys"]["attempts"][0]["observed"] == "No such file or directory"


def test_nothing_is_left_of_the_targets(supervised):
    receipts = {**supervised("receipts")}
    if supervised.has_all_ids:
        receipts |= supervised("without_users")
    assert {name: one["left"] for name, one in receipts.items() if one["left"]} == {}
