"""The gateway comes with its extra, its absence is said, and each wheel has what it needs."""

import subprocess
import zipfile

from tests.docs.pages import ROOT


def run(folder, *words):
    argv = [folder / "python", "-I", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_without_its_extra_the_gateway_is_one_sentence(installed):
    assert run(installed, "-c", "import stackproof.stack.running").returncode == 0
    done = run(installed, "-m", "stackproof.gateway", "--help")
    assert done.returncode == 1
    assert done.stderr == (
        "the LLM gateway is not installed: No module named 'stackproof_gateway'; "
        'install it: pip install "stackproof[gateway]"\n'
    )
    connect = "from stackproof.gateway import connect; connect('http://127.0.0.1:1', 'n', '')"
    assert 'pip install "stackproof[gateway]"' in run(installed, "-c", connect).stderr


def test_the_extra_brings_the_gateway_with_its_prices_and_its_types(install):
    folder = install("gateway")
    names = [run(folder, "-m", name, "--help").stdout for name in
             ("stackproof.gateway", "stackproof_gateway")]  # fmt: skip
    assert names[0] == names[1] != ""
    helped = subprocess.run(
        [folder / "stackproof-gateway", "--help"], capture_output=True, check=True
    )
    assert b"--budget-usd" in helped.stdout
    prices = "from stackproof_gateway.provider.prices import load_prices; load_prices()"
    assert run(folder, "-c", prices).returncode == 0
    for package in ("stackproof_gateway", "stackproof_redaction"):
        code = (
            f"import importlib.resources as r; print((r.files('{package}') / 'py.typed').is_file())"
        )
        assert run(folder, "-c", code).stdout == "True\n"


def test_each_wheel_holds_the_licence_and_its_readme(wheels):
    licence = (ROOT / "LICENSE").read_text()
    found = sorted(wheels.glob("*.whl"))
    assert len(found) == 3
    for path in found:
        with zipfile.ZipFile(path) as wheel:
            texts = {name.rpartition("/")[2]: name for name in wheel.namelist()}
            assert wheel.read(texts["LICENSE"]).decode() == licence
            assert (
                "Description-Content-Type: text/markdown" in wheel.read(texts["METADATA"]).decode()
            )
