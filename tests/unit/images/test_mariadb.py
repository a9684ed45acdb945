"""MariaDB's image run natively: the variables of the official images, and what they refuse."""

import pytest

from stackproof.engines.process.images import mariadb_start, native_image
from stackproof.engines.process.images.model import Server, no_steps
from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime


def read_databases(name, environment):
    return mariadb_start.read_databases(ServicePlan(name, (), environment))


ROOT = {"MYSQL_ROOT_PASSWORD": "secret"}


def test_the_variables_of_both_images_are_read_and_those_of_mariadb_first():
    given = {**ROOT, "MARIADB_DATABASE": "a", "MYSQL_DATABASE": "b", "MYSQL_USER": "app"}
    found = read_databases("db", {**given, "MYSQL_PASSWORD": "pw"})
    assert (found.root_password, found.database, found.user) == ("secret", "a", "app")
    assert found.sql().splitlines() == [
        "alter user 'root'@'localhost' identified by 'secret';",
        "create user 'root'@'%' identified by 'secret';",
        "grant all on *.* to 'root'@'%' with grant option;",
        "create database if not exists `a`;",
        "create user 'app'@'%' identified by 'pw';",
        "grant all on `a`.* to 'app'@'%';",
    ]


def test_names_and_passwords_can_not_leave_their_quotes():
    found = read_databases(
        "db",
        {"MARIADB_ROOT_PASSWORD": "a\\'b", "MARIADB_DATABASE": "x`_y", "MARIADB_USER": "o'b"},
    ).sql()
    assert r"identified by 'a\\\'b'" in found
    assert "create database if not exists `x``_y`" in found
    assert r"grant all on `x``\_y`.* to 'o\'b'@'%'" in found


def test_root_may_be_closed_to_others():
    found = read_databases("db", {**ROOT, "MYSQL_ROOT_HOST": "localhost"}).sql()
    assert found == "alter user 'root'@'localhost' identified by 'secret';\n"


def test_a_value_may_stand_in_a_file(tmp_path):
    (tmp_path / "password").write_text("from a file\n")
    name = str(tmp_path / "password")
    assert read_databases("db", {"MYSQL_ROOT_PASSWORD_FILE": name}).root_password == "from a file"
    with pytest.raises(ConfigError, match="MYSQL_ROOT_PASSWORD_FILE"):
        read_databases("db", {"MYSQL_ROOT_PASSWORD_FILE": str(tmp_path / "other")})


@pytest.mark.parametrize(
    "name", ["MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD"]
)
def test_root_without_a_password_is_refused_unless_it_is_asked_for(name):
    with pytest.raises(ConfigError, match="root has no password") as caught:
        read_databases("db", {})
    assert caught.value.key == "services.db.environment.MARIADB_ROOT_PASSWORD"
    assert read_databases("db", {name: "1"}).root_password == ""


def test_a_random_password_is_another_one_each_time():
    asked = {"MARIADB_RANDOM_ROOT_PASSWORD": "1"}
    first, second = (read_databases("db", asked).root_password for _ in range(2))
    assert first != second
    assert len(first) > 20


def test_it_stands_in_for_mysql_and_says_so(tmp_path):
    program = tmp_path / "mariadbd"
    program.write_text("#!/bin/sh\necho 'mariadbd  Ver 10.11.19-MariaDB for Linux'\n")
    program.chmod(0o755)
    for version, told in (("", "stands in for MySQL"), ("8.0", "stands in for mysql:8.0")):
        asked = Runtime("image", image="mysql", version=version, bindir=tmp_path)
        server = native_image("mysql").locate(asked, tmp_path, no_steps)
        assert server.description == f"MariaDB 10.11.19 (configured); {told}"
    same = Runtime("image", image="mariadb", version="10.11", bindir=tmp_path)
    assert native_image("mariadb").locate(same, tmp_path, no_steps).notices == ()


def test_data_of_a_later_version_are_refused(tmp_path):
    image, server = native_image("mariadb"), Server("MariaDB", tmp_path, "10.11.19", "")
    assert image.data_fault(tmp_path, server) == ""
    for version, fault in (("10.6.1", ""), ("11.4.2", "MariaDB 11.4.2 wrote them")):
        (tmp_path / ".stackproof-server").write_text(version)
        assert image.data_fault(tmp_path, server).startswith(fault)
        assert bool(image.data_fault(tmp_path, server)) == bool(fault)
