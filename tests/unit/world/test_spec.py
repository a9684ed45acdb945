"""What the supervisor is told of a room survives the way there."""

import json

from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.spec import InterfaceSpec, MountSpec, RoomSpec

TEXTS = st.text(max_size=8)
MOUNTS = st.builds(MountSpec, target=TEXTS, kind=st.sampled_from(["bind", "overlay", "tmpfs"]))
INTERFACES = st.builds(InterfaceSpec, names=st.lists(TEXTS, max_size=3).map(tuple))
ROOMS = st.builds(
    RoomSpec,
    interfaces=st.lists(INTERFACES, max_size=3).map(tuple),
    mounts=st.lists(MOUNTS, max_size=3).map(tuple),
    hosts=st.dictionaries(TEXTS, TEXTS, max_size=3),
    uid=st.none() | st.integers(0, 65534),
    working_dir=TEXTS,
)


@given(st.none() | ROOMS)
def test_a_room_is_read_back_as_it_was_sent(room):
    spec = ServiceSpec(name="web", argv=("/bin/true",), env={}, cwd="/", room=room)
    assert ServiceSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
