"""Known images are recognised by their reference, whatever registry they come from."""

import pytest

from stackproof.plan.services.known_images import recognise


@pytest.mark.parametrize(
    ("reference", "name", "version"),
    [
        ("postgres", "postgres", ""),
        ("postgres:16", "postgres", "16"),
        ("postgres:16-alpine", "postgres", "16"),
        ("postgres:16.4-bookworm", "postgres", "16"),
        ("postgres:alpine", "postgres", ""),
        ("postgres:latest", "postgres", ""),
        ("library/postgres:15", "postgres", "15"),
        ("docker.io/library/postgres:16", "postgres", "16"),
        ("mirror.example.com:5000/hub/library/postgres:16", "postgres", "16"),
        ("localhost/postgres:16", "postgres", "16"),
        ("postgres:16@sha256:abcdef", "postgres", "16"),
        ("postgres@sha256:abcdef", "postgres", ""),
        ("pgvector/pgvector:pg16", "postgres", "16"),
        ("pgvector/pgvector:0.8.0-pg17", "postgres", "17"),
        ("ghcr.io/mirror/pgvector/pgvector:pg16", "postgres", "16"),
        ("redis:7-alpine", "redis", "7"),
        ("redis", "redis", ""),
        ("valkey/valkey:8", "valkey", "8"),
        ("docker.io/valkey/valkey:8.1", "valkey", "8"),
    ],
)
def test_a_known_image_is_recognised(reference, name, version):
    found = recognise(reference)
    assert found is not None
    assert (found.name, found.version) == (name, version)


@pytest.mark.parametrize(
    "reference",
    ["nginx", "mycompany/postgres:16", "postgres-exporter:1", "x.com/redis-ui", "postgis/postgis"],
)
def test_another_image_is_not(reference):
    assert recognise(reference) is None
