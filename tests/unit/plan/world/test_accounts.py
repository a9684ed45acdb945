"""The user that a service runs as, read from its Dockerfile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.plan.world.accounts import accounts_of
from stackproof.plan.world.model import ROOT, Account


def accounts(*lines, base="python:3.12-slim"):
    return accounts_of(read_dockerfile("\n".join([f"FROM {base}", *lines])))


@pytest.mark.parametrize(
    ("run", "account"),
    [
        ("useradd app", Account(1000, 1000, "app", "/home/app")),
        ("useradd -u 1234 -d /srv/app app", Account(1234, 1234, "app", "/srv/app")),
        ("useradd --create-home --uid=10001 app", Account(10001, 10001, "app", "/home/app")),
        ("useradd -rm app", Account(999, 999, "app", "/home/app")),
        ("useradd -ms /bin/bash app", Account(1000, 1000, "app", "/home/app")),
        ("useradd app -u 5000", Account(5000, 5000, "app", "/home/app")),
        ("groupadd -g 77 web && useradd -g web -u 78 app", Account(78, 77, "app", "/home/app")),
        ("groupadd -r app && useradd -r -g app app", Account(999, 100, "app", "/home/app")),
        ("adduser --system app", Account(100, 65534, "app", "/nonexistent")),
        ("adduser --system --group app", Account(100, 100, "app", "/nonexistent")),
        ("adduser --disabled-password --gecos '' app", Account(1000, 1000, "app", "/home/app")),
        ("adduser -D -u 1001 app", Account(1001, 1001, "app", "/home/app")),
        ("addgroup -S web && adduser -S -G web app", Account(100, 100, "app", "/home/app")),
        ("adduser -S app", Account(100, 65534, "app", "/home/app")),
        ("set -eux; if true; then useradd app; fi", Account(1000, 1000, "app", "/home/app")),
        ("/usr/sbin/useradd app", Account(1000, 1000, "app", "/home/app")),
        ("useradd one && useradd app", Account(1001, 1001, "app", "/home/app")),
    ],
)
def test_a_user_that_run_adds_is_known(run, account):
    assert accounts(f"RUN {run}").account("app") == (account, True)


@pytest.mark.parametrize(
    ("written", "account"),
    [
        ("", ROOT),
        ("root", ROOT),
        ("0:0", ROOT),
        ("www-data", Account(33, 33, "www-data", "/var/www")),
        ("65534", Account(65534, 65534, "nobody", "/nonexistent")),
        ("5000", Account(5000, 0, "", "/")),
        ("5000:6000", Account(5000, 6000, "", "/")),
        ("www-data:mail", Account(33, 8, "www-data", "/var/www")),
    ],
)
def test_users_of_every_system_and_numbers_are_known(written, account):
    assert accounts().account(written) == (account, True)


def test_a_user_of_the_base_image_is_known():
    found = accounts(base="node:22-alpine")
    assert found.account("node") == (Account(1000, 1000, "node", "/home/node"), True)
    assert not accounts().account("node")[1]


def test_a_user_that_is_not_seen_gets_a_number_of_its_own_that_stays():
    (one, certain), (other, _) = accounts().account("alice"), accounts().account("bob")
    assert not certain
    assert one.uid >= 1000
    assert one.uid != other.uid
    assert accounts("RUN apt-get update").account("alice")[0] == one


def test_a_build_argument_may_name_the_number():
    found = accounts("ARG UID=1500", "RUN useradd --uid $UID app")
    assert found.account("app")[0].uid == 1500


def test_putting_a_user_into_a_group_adds_nobody():
    assert not accounts("RUN adduser app docker").account("app")[1]


def test_homes_that_are_made_are_known():
    found = accounts("RUN useradd -m one && useradd two && adduser --system --home /h three")
    assert list(found.made_homes) == ["/home/one", "/h"]


WORDS = "useradd adduser groupadd addgroup -u -g 5 app -rm --uid= = -- && ; | '".split()


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5)), st.text(max_size=8))
def test_any_text_gives_an_account_with_numbers_of_users(words, user):
    found = accounts("RUN " + " ".join(words).replace("\n", " "))
    account, _ = found.account(user)
    assert 0 <= account.uid < 2**31
    assert 0 <= account.gid < 2**31
