"""What servers read at their first start alone: a change of it does not fit data that are there."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.images import Server, native_image
from stackproof.errors import Refused
from stackproof.plan.model import Plan, ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.plan.services.data_origin import FIRST_START, data_origin, misfits
from stackproof.stack.kept_data import origins_of, refuse_unfit

SHOP = {"POSTGRES_DB": "shop_e2e", "POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "open-sesame"}


def container(image, **environment):
    return ServicePlan("db", (), environment, image=image)


def native(image, version, **environment):
    return ServicePlan("db", (), environment, runtime=Runtime("image", image, version))


def changed(before, after):
    return list(misfits("db", data_origin(before), data_origin(after)))


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            container("postgres:16", **SHOP),
            container("postgres:16", **{**SHOP, "POSTGRES_DB": "other_e2e"}),
            "db: POSTGRES_DB was shop_e2e when the data were made, and is other_e2e now",
        ),
        (
            native("postgres", "16", **SHOP),
            native("postgres", "17", **SHOP),
            "db: postgres 16 made the data, and postgres 17 is to read them",
        ),
        (
            container("postgres:16", **SHOP),
            container("postgres:16", **{**SHOP, "POSTGRES_PASSWORD": "new"}),
            "db: POSTGRES_PASSWORD is another one than the data were made with",
        ),
        (
            container("postgres:16", **SHOP),
            container("postgres:16", POSTGRES_DB="shop_e2e", POSTGRES_PASSWORD="open-sesame"),
            "db: POSTGRES_USER was shop when the data were made, and is postgres now",
        ),
        (
            container("mysql:8", MYSQL_DATABASE="a_e2e"),
            container("mysql:8"),
            "db: MYSQL_DATABASE was a_e2e when the data were made, and is (unset) now",
        ),
        (
            container("valkey/valkey:8"),
            container("redis:7"),
            "db: valkey made the data, and redis is to read them",
        ),
        (
            container("redis:8"),
            container("redis:7.2-alpine"),
            "db: redis 8 made the data, and redis 7 is to read them",
        ),
        (
            container("localhost:5000/acme/mariadb:11.4"),
            container("mariadb:10.11@sha256:" + "0" * 64),
            "db: mariadb 11.4 made the data, and mariadb 10.11 is to read them",
        ),
    ],
)
def test_a_change_that_data_can_not_follow_is_told_in_words(before, after, line):
    assert changed(before, after) == [line]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (container("postgres:16", **SHOP), container("postgres:16-alpine", **SHOP)),
        (container("postgres:16", **SHOP), container("postgres", **SHOP)),
        (container("redis:7"), container("redis:8")),
        (container("mysql:8", PATH="/a"), container("mysql:9", PATH="/b")),
        (
            container("postgres:16", POSTGRES_PASSWORD="a"),
            container("postgres:16", POSTGRES_USER="postgres", POSTGRES_PASSWORD="a"),
        ),
    ],
)
def test_a_change_that_data_can_follow_is_none(before, after):
    assert changed(before, after) == []


def test_a_password_is_not_kept():
    assert "open-sesame" not in str(data_origin(container("postgres:16", **SHOP)))
    broker = container("rabbitmq:3", RABBITMQ_DEFAULT_PASS="open-sesame")
    assert "open-sesame" not in str(data_origin(broker))


def test_a_broker_reads_the_data_of_an_earlier_version_as_far_as_tags_tell():
    old, new, some = (container(f"rabbitmq:{tag}") for tag in ("3.12", "3.13.2-management", "3"))
    assert changed(old, new) == changed(some, old) == changed(new, some) == []
    assert changed(new, old) == [
        "db: rabbitmq 3.13 made the data, and rabbitmq 3.12 is to read them"
    ]


def test_a_service_that_is_no_server_may_have_the_same_variables():
    assert data_origin(container("acme/web:1", **SHOP)) is None


@given(
    st.sampled_from(sorted(FIRST_START)),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.dictionaries(
        st.sampled_from(["POSTGRES_DB", "MYSQL_USER", "MARIADB_PASSWORD", "OTHER"]),
        st.text(max_size=5),
    ),
)
def test_whatever_a_server_is_it_fits_its_own_data(kind, tag, environment):
    service = container(f"{kind}:{tag}", **environment)
    origin = data_origin(service)
    assert origin is None or list(misfits("db", origin, origin)) == []


def test_all_that_does_not_fit_is_in_one_error():
    before = Plan("shop", "shop-e2e", "compose", Path("/run"), (container("postgres:16", **SHOP),))
    after = replace(before, services=(container("postgres:17", POSTGRES_PASSWORD="x"),))
    refuse_unfit("its data", origins_of(before), before)
    with pytest.raises(Refused, match=r"^its data do not fit what the files say now") as caught:
        refuse_unfit("its data", origins_of(before), after)
    assert len(caught.value.observed.splitlines()) == 4
    assert "invoke up --fresh" in caught.value.remedy


@pytest.mark.parametrize(
    ("image", "file", "text", "fault"),
    [
        (
            "postgres",
            "PG_VERSION",
            "15\n",
            "PostgreSQL 15 made them, and PostgreSQL 16.2 was found",
        ),
        ("postgres", "PG_VERSION", "16\n", ""),
        ("redis", ".stackproof-server", "Valkey 9", "Valkey 9 saved them, and Redis 7.2 was found"),
        ("redis", ".stackproof-server", "Redis 6", ""),
        ("redis", ".stackproof-server", "Redis 8", "Redis 8 saved them, and Redis 7.2 was found"),
        ("redis", "unknown", "", ""),
    ],
)
def test_the_server_that_was_found_is_compared_with_the_data_themselves(
    tmp_path, image, file, text, fault
):
    name, version = ("PostgreSQL", "16.2") if image == "postgres" else ("Redis", "7.2")
    (tmp_path / file).write_text(text)
    (tmp_path / "dump.rdb").touch()
    server = Server(name, tmp_path, version, "here")
    assert native_image(image).data_fault(tmp_path, server) == fault


def test_a_folder_in_which_nothing_was_saved_fits_each_server(tmp_path):
    (tmp_path / ".stackproof-server").write_text("Valkey 9")
    server = Server("Redis", tmp_path, "7.2", "here")
    assert native_image("redis").data_fault(tmp_path, server) == ""


def test_a_snapshot_is_known_by_the_server_that_was_found(tmp_path, monkeypatch):
    found = Server("Valkey", tmp_path / "a", "9.0.1", "wheel")
    plan = Plan("shop", "shop", "process", tmp_path, (native("redis", "7"),))
    keeper = ProcessEngine({}, tmp_path).snapshots
    image = type(native_image("redis"))
    monkeypatch.setattr(image, "locate", lambda *_: found)
    keys = [keeper.inputs(plan, print)]
    for other in [
        replace(found, name="Redis"),
        replace(found, version="7.2.4"),
        replace(found, bindir=tmp_path / "b"),
    ]:
        monkeypatch.setattr(image, "locate", lambda *_, other=other: other)
        keys.append(keeper.inputs(plan, print))
    assert len({tuple(key) for key in keys}) == len(keys)
