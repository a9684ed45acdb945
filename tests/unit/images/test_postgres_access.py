"""The rules of access over TCP hold for the Unix socket that the guard of the port uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.images.postgres_access import (
    CantBeGuardedError,
    refuse_unguardable,
    socket_rules,
)


def rules(*lines):
    return socket_rules("\n".join(lines)).splitlines()[1:]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("host all all all scram-sha-256", "local all all scram-sha-256"),
        ("host  shop  ann  127.0.0.1/32  md5  # old", "local shop ann md5"),
        ("host shop ann 127.0.0.0 255.0.0.0 password", "local shop ann password"),
        ("hostnossl all all 0.0.0.0/0 trust", "local all all trust"),
        ('host "my db",b "Ann Lee" samehost reject', 'local "my db",b "Ann Lee" reject'),
    ],
)
def test_a_rule_for_this_machine_is_said_of_the_socket(line, expected):
    assert rules(line) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# host all all all trust",
        "local all all trust",
        "hostssl all all all cert",
        "host all all ::1/128 trust",
        "host all all 10.0.0.0/8 trust",
        "host all all db.example trust",
    ],
)
def test_a_rule_for_others_is_left_out(line):
    assert rules(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "include other.conf",
        "host all all all ldap ldapserver=x",
        "host all all",
        "host all all 127.0.0.1",
        "host all all 999.0.0.1/8 trust",
        "nonsense",
        "host all all all trust \\",
        'host "all all all trust',
        "host all all all \\",
    ],
)
def test_what_can_not_be_said_of_a_socket_is_not_guessed(line):
    with pytest.raises(CantBeGuardedError, match="line 1"):
        rules(line)


@given(st.text())
def test_any_text_gives_rules_or_a_refusal(text):
    try:
        lines = socket_rules(text).removesuffix("\n").split("\n")[1:]
    except CantBeGuardedError:
        return
    assert all(line.startswith("local ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "file", "reason"),
    [
        (("-c", "ssl=on"), "", "TLS"),
        (("-l",), "", "TLS"),
        (("-c", "hba_file=/etc/pg_hba.conf"), "", "hba_file"),
        (("--config-file=/etc/postgresql.conf",), "", "config-file"),
        ((), "ssl = on", "TLS"),
        ((), "ssl 'true'", "TLS"),
        ((), "  hba_file='/x'", "hba_file"),
        ((), "include_dir = 'conf.d'", "include_dir"),
    ],
)
def test_settings_that_need_tcp_refuse_a_guard(tmp_path, arguments, file, reason):
    (tmp_path / "postgresql.auto.conf").write_text(f"fsync = off\n{file}\n")
    with pytest.raises(CantBeGuardedError, match=reason):
        refuse_unguardable(arguments, tmp_path)


def test_settings_that_only_look_like_it_do_not(tmp_path):
    (tmp_path / "postgresql.conf").write_text("#ssl = on\nssl = off\nssl_ciphers = 'x'\n")
    refuse_unguardable(("-c", "ssl=off", "-c", "ssl_ciphers=x", "ssl"), tmp_path)
