"""A user's secret values stay the same, and are known to nobody else."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from stackproof.engines.process.images.credentials import KEY, secret_value
from stackproof.errors import Refused


def test_a_value_stays_and_differs_by_what_it_is_for(tmp_path):
    cache = tmp_path / "cache"
    first = secret_value(cache, "shop", "PW")
    assert secret_value(cache, "shop", "PW") == first
    assert first.isalnum()
    assert len({first, secret_value(cache, "shop", "B"), secret_value(cache, "blog", "PW")}) == 3
    assert secret_value(tmp_path / "other", "shop", "PW") != first


def test_only_the_user_can_read_the_key_whatever_the_umask_is(tmp_path):
    before = os.umask(0)
    try:
        secret_value(tmp_path / "cache", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "cache" / KEY).stat().st_mode) == 0o600


def test_several_at_once_make_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secret_value(tmp_path / "cache", "x"), range(32)))
    assert len(found) == 1
    assert [one.name for one in (tmp_path / "cache").iterdir() if "key-" in one.name] == []


def a_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.chmod(0o644), "others can read it"),
        (lambda path: path.chmod(0o602), "others can write"),
        (lambda path: path.write_bytes(b"short"), "5 bytes"),
        (a_link, "it is a link"),
    ],
)
def test_a_key_that_others_could_know_is_refused(tmp_path, spoil, why):
    cache = tmp_path / "cache"
    secret_value(cache, "x")
    spoil(cache / KEY)
    with pytest.raises(Refused, match="not safe") as caught:
        secret_value(cache, "x")
    assert why in str(caught.value)


def test_a_key_of_another_user_is_refused(tmp_path, other_user):
    cache = tmp_path / "cache"
    secret_value(cache, "x")
    os.chown(cache / KEY, other_user.uid, other_user.uid)
    with pytest.raises(Refused, match="belongs to"):
        secret_value(cache, "x")
