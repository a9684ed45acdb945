"""Known images are recognised by their reference, whatever registry they come from."""

import pytest

from stackproof.plan.services.known_images import recognise, why_unknown


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
        ("rabbitmq", "rabbitmq", ""),
        ("rabbitmq:3-management", "rabbitmq", "3"),
        ("rabbitmq:3.13.7-management-alpine", "rabbitmq", "3.13"),
        ("docker.io/library/rabbitmq:4", "rabbitmq", "4"),
        ("docker.io/valkey/valkey:8.1", "valkey", "8"),
        ("nginx:1.27-alpine", "nginx", "1.27"),
        ("nginxinc/nginx-unprivileged:stable", "nginx", ""),
        ("memcached:1.6", "memcached", "1.6"),
        ("mariadb:11", "mariadb", "11"),
        ("caddy:2-alpine", "caddy", "2"),
        ("traefik:v3.1", "traefik", "3.1"),
        ("nats:2.10-alpine", "nats", "2.10"),
        ("library/mysql:8.0.36", "mysql", "8.0"),
    ],
)
def test_a_known_image_is_recognised(reference, name, version):
    found = recognise(reference)
    assert found is not None
    assert (found.name, found.version) == (name, version)


@pytest.mark.parametrize(
    "reference",
    [
        "nginx-exporter",
        "acme/mysql",
        "mycompany/postgres:16",
        "postgres-exporter:1",
        "x.com/redis-ui",
        "postgis/postgis",
    ],
)
def test_another_image_is_not(reference):
    assert recognise(reference) is None


def test_the_variant_of_a_tag_is_kept():
    assert recognise("rabbitmq:3.13-management-alpine").variant == "management-alpine"
    assert recognise("rabbitmq:3").variant == ""


def test_a_server_keeps_its_data_in_its_folder_and_a_web_server_none():
    assert recognise("mariadb").keeps("/var/lib/mysql/data")
    assert not recognise("mariadb").keeps("/var/lib/mysql-files")
    assert not recognise("nginx").keeps("/")


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("redis/redis-stack-server:7", "modules of Redis Stack"),
        ("redis/redis-stack", "modules of Redis Stack"),
        ("docker.io/library/mongo:7", "MongoDB"),
        ("minio/minio@sha256:abc", "MinIO"),
        ("mongo-express", ""),
    ],
)
def test_why_a_well_known_image_has_no_native_runner(reference, why):
    assert why in why_unknown(reference)
    assert bool(why_unknown(reference)) == bool(why)
