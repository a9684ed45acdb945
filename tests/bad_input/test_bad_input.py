"""Each folder is a defect: the error must hold every line of its expected.txt."""

import shutil
from pathlib import Path

import pytest

from stackproof.errors import ConfigError
from stackproof.settings import load_settings
from stackproof.stack_file import load_stack_file, select_services

HERE = Path(__file__).parent


def folders(kind):
    found = sorted((HERE / kind).iterdir())
    return pytest.mark.parametrize("folder", found, ids=lambda folder: folder.name)


def check(folder, error):
    for expected in (folder / "expected.txt").read_text().splitlines():
        assert expected in str(error)
    assert len(str(error)) < 2000, "an error repeats a long value"


@folders("stack_file")
def test_a_defect_is_one_error_with_its_place_and_what_to_do(folder):
    with pytest.raises(ConfigError) as caught:
        select_services(load_stack_file([folder / "compose.yaml"], {}), [])
    check(folder, caught.value)


@folders("stack_config")
def test_a_defect_of_a_stack_config_is_one_error_with_its_place(folder, tmp_path):
    shutil.copytree(folder / "config", tmp_path / "config")
    if (folder / "env.integration").exists():
        shutil.copy(folder / "env.integration", tmp_path / ".env.integration")
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path, stack=None, environment={})
    check(folder, caught.value)
