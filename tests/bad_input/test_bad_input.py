"""Each folder is a defect: the error must hold every line of its expected.txt."""

from pathlib import Path

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file, select_services

FOLDERS = sorted((Path(__file__).parent / "stack_file").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_defect_is_one_error_with_its_place_and_what_to_do(folder):
    with pytest.raises(ConfigError) as caught:
        select_services(load_stack_file([folder / "compose.yaml"], {}), [])
    for expected in (folder / "expected.txt").read_text().splitlines():
        assert expected in str(caught.value)
