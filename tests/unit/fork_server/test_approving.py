"""What may be imported ahead: packages whose import does nothing that differs from copy to copy."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.engines.process.fork_server.approving import approve, compare
from stackproof.engines.process.fork_server.entry import Entry
from stackproof.engines.process.fork_server.known import FOLDER, Approved, keep, kept, key_of

PACKAGES = {
    "harmless": "import json",
    "reading": "import os; LEVEL = os.environ.get('LEVEL')",
    "all_of_it": "import os; COPY = dict(os.environ)",
    "opening": "open('/etc/hostname').read()",
    "spying": "import os; open(os.path.expanduser('~/.settings'), 'a').close()",
    "starting": "import subprocess; subprocess.run(['true'])",
    "threading_": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "leaving_open": "import os; HANDLE = os.open('/dev/null', os.O_RDONLY)",
    "handling": "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)",
    "placing": "import os; HERE = os.getcwd()",
    "numbering": "import os; PID = os.getpid()",
    "failing": "raise RuntimeError('not here')",
    "probing": "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.close()",
    "temporary": "import tempfile; tempfile.gettempdir()",
    "starting_time": "import time; BEGAN = time.time()",
    "host": "import os\nclass Settings:\n    def __init__(self): self.names = {1: os.uname()[1]}\n"
    "HERE = Settings()",
    "user": "import os\ndef log(by=os.getuid()): pass",
    "unseen": "import posix; REGION = posix.environ.get(b'REGION')",
    "by_chance": "import os, uuid, secrets\n"
    "KEY, ID, PLACE = secrets.token_bytes(8), uuid.uuid4().hex, repr(object())",
    "bringing": "import host",
}  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Interpreter of a virtualenv in which these packages are installed."""
    folder = tmp_path_factory.mktemp("virtualenv")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120
    )
    (site,) = folder.glob("lib/python*/site-packages")
    for name, text in PACKAGES.items():
        (site / f"{name}.py").write_text(text)
    return folder / "bin" / "python"


@pytest.fixture
def environment(tmp_path):
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LEVEL": "info"}


def approved(python, environment, *names, varying=()):
    return approve(python, environment, ["harmless", *names], varying)


def test_what_does_nothing_special_is_approved(python, environment):
    found = approved(python, environment, "probing", "temporary", "reading")
    names = ("harmless", "probing", "temporary", "reading")
    assert found == Approved(names, examined=names)


def test_what_fails_without_the_program_is_left_to_it(python, environment):
    assert approved(python, environment, "failing", "no_such").modules == ("harmless",)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("opening", "its import opens /etc/hostname"),
        ("spying", ".settings"),
        ("starting", "its import calls subprocess.Popen"),
        ("placing", "its import keeps the folder"),
        ("numbering", "its import keeps the number of its process in PID"),
        ("threading_", "its import starts a thread"),
        ("starting_time", "its import keeps the time of its start in BEGAN"),
    ],
)
def test_what_other_rooms_would_answer_otherwise_is_left_out(python, environment, name, told):
    found = approved(python, environment, name)
    assert found.modules == ("harmless",)
    assert told in found.left_out[name]


def test_readers_of_a_variable_that_differs_are_left_out(python, environment):
    found = approved(python, environment, "reading", varying=("LEVEL",))
    assert found.left_out == {"reading": "it reads LEVEL, which differs"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("leaving_open", "imports leave files open: /dev/null"),
        ("handling", "imports set handlers of signals"),
    ],
)
def test_what_a_fork_would_not_have_or_have_too_much_forbids_all(python, environment, name, told):
    found = approved(python, environment, name)
    assert (found.modules, found.cold) == ((), told)


def test_what_depends_on_an_environment_unseen_is_left_out_with_what_brings_it(python, environment):
    names = ("harmless", "bringing", "host", "user", "unseen", "by_chance", "reading")
    found = compare(python, {**environment, "REGION": "north"}, Approved(names, examined=names))
    assert found.modules == ("harmless", "by_chance", "reading")
    assert found.left_out == {
        "bringing": "the value of host.HERE differs between two environments",
        "host": "the value of host.HERE differs between two environments",
        "unseen": "the value of unseen.REGION differs between two environments",
        "user": "the value of user.log differs between two environments",
    }
    assert (found.compared, found.examined) == (True, names)


def test_a_comparison_that_can_not_be_tried_says_nothing(environment, tmp_path):
    assert compare(tmp_path / "python", environment, Approved(("harmless",))) == Approved()


def test_an_interpreter_that_can_not_try_it_says_nothing(environment, tmp_path):
    assert approve(tmp_path / "python", environment, ["harmless"], ()) == Approved()


def test_nothing_is_left_in_the_temporary_folder(python, environment, tmp_path):
    place = tmp_path / "tmp"
    place.mkdir()
    approved(python, {**environment, "TMPDIR": str(place)}, "temporary")
    assert list(place.iterdir()) == []


def test_what_was_approved_is_kept_for_other_processes(tmp_path):
    found = Approved(("a", "b"), {"c": "its import opens /x"}, "")
    keep(tmp_path, "key", found)
    assert kept(tmp_path, "key") == found
    assert kept(tmp_path, "other") is None


def test_a_broken_file_of_the_cache_counts_as_none(tmp_path):
    keep(tmp_path, "key", Approved(("a",)))
    (tmp_path / FOLDER / "key.json").write_text("{")
    assert kept(tmp_path, "key") is None


def test_the_key_changes_with_the_environment_the_program_and_what_is_installed(python):
    entry = Entry(python, module="shop")
    keys = {key_of(entry, {"A": "1"}), key_of(entry, {"A": "2"})}
    keys.add(key_of(Entry(python, module="other"), {"A": "1"}))
    (site,) = Path(python).parents[1].glob("lib/python*/site-packages")
    (site / "new.py").touch()
    assert len(keys | {key_of(entry, {"A": "1"})}) == 4
