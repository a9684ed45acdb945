"""`./dev` on machines that lack something: one clear sentence each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/simple"
OFFLINE = {
    "PIP_RETRIES": "0",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
}


@pytest.fixture
def checkout(tmp_path):
    """A checkout without an environment."""
    for name in ("dev", "pyproject.toml", "requirements", "packages"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / name)
    return tmp_path


def dev(checkout, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, str(checkout / "dev"), *arguments], capture_output=True, text=True,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_without_a_tool_it_teaches(checkout):
    done = dev(checkout)
    assert done.returncode == 0
    assert "./dev nox -s integration" in done.stdout


def test_a_home_that_is_a_file_is_one_sentence(checkout, tmp_path):
    home = tmp_path / "home"
    home.touch()
    done = dev(checkout, "invoke", "up", HOME=str(home))
    assert done.returncode == 1
    assert (
        done.stderr == f"dev: HOME is {home}: Not a directory. Set HOME to a folder of your own.\n"
    )


def test_a_missing_venv_module_is_one_sentence(checkout, tmp_path):
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "ensurepip.py").write_text("raise ImportError\n")
    done = dev(checkout, "nox", PYTHONPATH=str(tmp_path / "blocked"))
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_network_is_one_sentence_after_what_long_steps_have_said(checkout):
    text = (checkout / "dev").read_text().replace("SILENCE = 5 ", "SILENCE = 0.1 ")
    (checkout / "dev").write_text(text)
    done = dev(checkout, "nox", PIP_INDEX_URL=NOWHERE, **OFFLINE)
    assert done.returncode == 1
    assert "dev: still making the virtual environment (0 s)" in done.stderr
    assert "the package index can't be reached" in done.stderr.splitlines()[-1]


def test_a_certificate_that_is_not_trusted_is_told_from_an_index_that_is_away(checkout):
    failing = "print('error: invalid peer certificate: UnknownIssuer'); raise SystemExit(2)"
    text = (checkout / "dev").read_text()
    (checkout / "dev").write_text(
        text.replace('[python, "-m", "venv", "--clear", VENV]', f"[python, '-c', {failing!r}]")
    )
    done = dev(checkout, "nox")
    assert done.returncode == 1
    assert "certificate is not trusted here; set SSL_CERT_FILE" in done.stderr.splitlines()[-1]


def test_an_old_python_is_one_sentence(checkout):
    text = (checkout / "dev").read_text().replace("NEEDED = (3, 11)", "NEEDED = (3, 99)")
    (checkout / "dev").write_text(text)
    done = dev(checkout, "nox", PATH=str(checkout))
    assert done.returncode == 1
    assert done.stderr.startswith("dev: Python 3.99 or newer is needed, this one is 3.")
    assert len(done.stderr.splitlines()) == 1


def test_nox_says_first_what_it_runs(tmp_path):
    (tmp_path / "noxfile.py").write_text(
        "import nox\n@nox.session(venv_backend='none')\ndef greet(session):\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev"), "nox", "-s", "greet"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 session: greet\n"


def test_an_unknown_tool_is_one_sentence():
    done = dev(ROOT, "frobnicate")
    assert done.returncode == 1
    assert done.stderr == "dev: there is no tool 'frobnicate' in .venv; try `./dev nox --list`.\n"
