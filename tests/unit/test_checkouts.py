"""A checkout is a folder, by whichever path it is reached; two with the same files are two."""

import re
import shutil
import subprocess

import pytest

from stackproof.errors import Refused
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack.checkout import Checkout, refuse_other_checkout
from stackproof.stack.kept_data import KeptData, forget_kept, note_kept, read_kept


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "first"
    path.mkdir()
    return path


def test_a_folder_that_was_renamed_is_the_same_checkout(folder):
    owner = Checkout.of(folder)
    renamed = folder.rename(folder.with_name("renamed"))
    assert owner.is_same(Checkout.of(renamed))
    assert owner.is_gone()


def test_a_folder_reached_by_a_link_is_the_same_checkout(folder):
    link = folder.with_name("link")
    link.symlink_to(folder)
    assert Checkout.of(link) == Checkout.of(folder)


def test_a_folder_reached_by_another_mount_is_the_same_checkout(folder, tmp_path):
    other = tmp_path / "mounted"
    other.mkdir()
    if subprocess.run(["mount", "--bind", folder, other], check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        assert Checkout.of(other).folder == str(other)
        assert Checkout.of(other).is_same(Checkout.of(folder))
    finally:
        subprocess.run(["umount", other], check=True)


def test_a_folder_that_was_removed_and_made_anew_is_the_same_checkout(folder):
    owner = Checkout.of(folder)
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    assert Checkout.of(folder).inode != owner.inode
    assert Checkout.of(folder).is_same(owner)


def test_a_later_folder_that_gets_the_number_of_a_removed_one_is_another_checkout(folder):
    owner = Checkout.of(folder)
    folder.rmdir()
    second = folder.with_name("second")
    second.mkdir()
    if not Checkout.of(second).born:
        pytest.skip("this file system does not say when a folder was made")
    assert not owner.is_same(Checkout.of(second))


def test_a_folder_that_is_gone_is_known_by_its_path_alone(folder):
    owner = Checkout.of(folder)
    shutil.rmtree(folder)
    assert Checkout.of(folder).is_same(owner)
    assert not Checkout.of(folder.with_name("second")).is_same(Checkout.of(folder))


def test_a_second_folder_is_refused_with_both_named_and_the_ways_out(folder):
    second = folder.with_name("second")
    second.mkdir()
    with pytest.raises(Refused, match=r"^shop-e2e belongs to another checkout\n") as caught:
        refuse_other_checkout(
            "shop-e2e", Checkout.of(folder), Checkout.of(second), "shop-e2e belongs"
        )
    assert caught.value.observed == f"it was started from {folder}; this is {second}"
    assert "STACKPROOF_PROJECT" in caught.value.remedy
    assert f"`cd {folder} && invoke down`" in caught.value.remedy


def test_where_the_owners_folder_is_gone_the_way_out_works_from_anywhere(folder):
    owner = Checkout.of(folder)
    folder.rmdir()
    second = folder.with_name("second")
    second.mkdir()
    with pytest.raises(Refused, match=re.escape(f"{folder}, which is gone")) as caught:
        refuse_other_checkout("shop-e2e", owner, Checkout.of(second), "shop-e2e belongs")
    assert "`invoke down --project shop-e2e`" in caught.value.remedy


def test_what_is_known_of_kept_data_is_noted_for_each_engine(folder, tmp_path):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    kept = KeptData(Checkout.of(folder), {"db": {"kind": "postgres", "version": "16"}})
    assert read_kept(run, "process") is None
    note_kept(run, "process", kept)
    assert read_kept(run, "process") == kept
    assert read_kept(run, "compose") is None
    forget_kept(run, "process")
    assert read_kept(run, "process") is None
    assert not run.root.exists()


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"checkout": 1}', b'{"checkout": ["/"], "origins": {}}']
)
def test_a_note_that_says_nothing_counts_as_none(folder, tmp_path, text):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    note_kept(run, "process", KeptData(Checkout.of(folder), {}))
    (run.kept.parent / "shop-e2e.process.json").write_bytes(text)
    assert read_kept(run, "process") is None
