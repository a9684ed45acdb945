"""The users and groups that a service finds in /etc, for any user it may run as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.world.identity import group, group_of, passwd
from stackproof.engines.process.world.spec import RoomSpec

NUMBERS = st.none() | st.sampled_from([0, 8, 33, 65534]) | st.integers(1, 70000)
NAMES = st.sampled_from(["", "app", "mail", "www-data", "nogroup", "postgres"])


def entries(text):
    assert text.endswith("\n")
    return [line.split(":") for line in text.splitlines()]


@given(NUMBERS, NUMBERS, NAMES)
def test_no_name_and_no_number_is_there_twice(uid, gid, name):
    spec = RoomSpec("web", "/root-of-web", uid=uid, gid=gid, user=name if uid else "")
    for lines in (entries(passwd(spec)), entries(group(spec))):
        assert len({line[0] for line in lines}) == len(lines)
        assert len({line[2] for line in lines}) == len(lines)


@given(NUMBERS, NUMBERS, NAMES)
def test_the_users_own_numbers_always_have_names(uid, gid, name):
    spec = RoomSpec("web", "/root-of-web", uid=uid, gid=gid, user=name if uid else "")
    users = {line[2]: line for line in entries(passwd(spec))}
    assert users["0"][0] == "root"
    own = users[str(uid or 0)]
    assert uid in {None, 0} or own[3] == str(group_of(spec))
    assert str(group_of(spec)) in {line[2] for line in entries(group(spec))}


@pytest.mark.parametrize("name", ["", "root"])
def test_a_service_of_root_finds_the_usual_users(name):
    users = [line[0] for line in entries(passwd(RoomSpec("web", "/root-of-web", user=name)))]
    assert users[0] == "root"
    assert {"daemon", "www-data", "nobody"} <= set(users)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"uid": 999, "user": "app", "home": "/srv"}, "app:x:999:999:app:/srv:/bin/sh"),
        ({"uid": 999, "gid": 5, "user": "app"}, "app:x:999:5:app:/root:/bin/sh"),
        ({"uid": 1000}, "user1000:x:1000:1000:user1000:/root:/bin/sh"),
        ({"uid": 33, "user": "nginx"}, "nginx:x:33:33:nginx:/root:/bin/sh"),
        ({"home": "/data"}, "root:x:0:0:root:/data:/bin/sh"),
    ],
)
def test_a_user_has_its_name_and_home(fields, line):
    assert line in passwd(RoomSpec("web", "/root-of-web", **fields)).splitlines()
