"""What COPY packs and unpacks, and what a change of it is told by."""

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest

from stackproof.engines.process.builds.copying import Wanted
from stackproof.engines.process.builds.inputs import context_digest

PROGRAM = """
import json, sys
from stackproof.engines.process.builds import copying
getattr(copying, sys.argv[1])(copying.Wanted(**json.loads(sys.argv[2])))
"""


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    for name in ("a.txt", "b.txt", "src/main.js", "src/deep/x", "out/of/way"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link").symlink_to("a.txt")
    (folder / "outside").symlink_to("/etc/hostname")
    return folder


def part(name, wanted, given=b""):
    import json

    argv = [sys.executable, "-c", PROGRAM, name, json.dumps(vars(wanted))]
    return subprocess.run(argv, input=given, capture_output=True, check=False)


def copied(context, tmp_path, *sources, **options):
    """The names that lie in the target afterwards."""
    target = tmp_path / "target"
    options = {"target": str(target), "into": True, "owner": (os.getuid(), os.getgid()), **options}
    wanted = Wanted(str(context), sources, **options)
    packed = part("send", wanted)
    assert packed.returncode == 0, packed.stderr
    assert part("receive", wanted, packed.stdout).returncode == 0
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir())


def test_files_keep_their_names_and_folders_give_their_content(context, tmp_path):
    assert copied(context, tmp_path, "a.txt", "src") == ["a.txt", "deep/x", "main.js"]
    assert copied(context, tmp_path, "link", "*.txt", "none*") == [
        *("a.txt", "b.txt", "deep/x", "link", "main.js"),
    ]
    assert (tmp_path / "target/link").read_text() == "a.txt"  # what it leads to


def test_a_file_lands_in_the_folder_that_is_in_its_place(context, tmp_path):
    (tmp_path / "target").mkdir()
    assert copied(context, tmp_path, "a.txt", into=False) == ["a.txt"]
    one = tmp_path / "target" / "one"
    copied(context, tmp_path, "b.txt", into=False, target=str(one))
    assert one.read_text() == "b.txt"


def test_what_is_left_out_is_not_copied_and_rights_are_given(context, tmp_path):
    found = copied(context, tmp_path, ".", hidden=["src/deep", "b.txt", "out"], mode="711")
    assert found == ["a.txt", "link", "outside", "src/main.js"]
    assert (tmp_path / "target/src/main.js").stat().st_mode & 0o777 == 0o711


def test_what_is_missing_or_lies_outside_is_an_error_that_names_it(context):
    wanted = Wanted(str(context), ("outside",), "/x", into=True)
    for source in ("outside", "missing", "../secret"):
        done = part("send", replace(wanted, sources=(source,)))
        assert done.returncode == 1
        assert f"{source} is not there" in done.stderr.decode()


def test_an_archive_is_unpacked_by_add(context, tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(context / "src", "src")
    (context / "src.tgz").write_bytes(data.getvalue())
    assert copied(context, tmp_path, "src.tgz", unpacks=True) == ["src/deep/x", "src/main.js"]


def test_a_change_is_told_by_names_content_and_rights_of_what_is_copied(context):
    def digest(*sources):
        return context_digest(context, sources, frozenset({"src/deep"}))

    first, of_txt = digest("src"), digest("*.txt")
    (context / "src/deep/x").write_text("left out")
    assert digest("src") == first
    (context / "src/main.js").chmod(0o700)
    assert digest("src") != first
    second = digest("src")
    (context / "src/more").symlink_to("main.js")
    assert digest("src") != second
    assert digest("*.txt") == of_txt
    (context / "c.txt").write_text("")
    assert digest("*.txt") != of_txt
