"""Errors in files of variables and in values show no secret: nothing is known of them yet."""

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file


def test_a_line_of_an_env_file_that_is_no_assignment_is_not_shown(tmp_path):
    (tmp_path / "app.env").write_text('KEY=-----BEGIN\nMIIEvQIBADANBgkqh kiG9w0B"AQEF\n')
    stack = tmp_path / "compose.yaml"
    stack.write_text("services: {app: {image: 'shop:1', env_file: app.env}}\n")
    with pytest.raises(ConfigError, match=r"app\.env:2: this is not KEY=value") as error:
        load_stack_file([stack], {})
    assert "MIIE" not in str(error.value)


def test_the_password_of_a_url_that_can_not_be_interpolated_is_not_shown(tmp_path):
    stack = tmp_path / "compose.yaml"
    stack.write_text(
        "services: {app: {image: 'shop:1', environment: {U: 'postgres://u:pa55${@db/x'}}}\n"
    )
    with pytest.raises(ConfigError, match="can't be interpolated") as error:
        load_stack_file([stack], {})
    assert "pa55" not in str(error.value)
    assert "postgres://u:********@db/x" in str(error.value)
