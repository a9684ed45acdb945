"""A Traefik without containers: its routes come from files and variables, or it is refused."""

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file.model import Mount, Service


@pytest.fixture
def traefik(planning):
    def planned(argv=(), environment=None, text=""):
        (planning.root / "traefik.yml").write_text(text)
        source = str(planning.root / "traefik.yml")
        mount = Mount("bind", "/etc/traefik/traefik.yml", source, read_only=True, written="t.yml")
        given = {"command": argv, "environment": environment or {}, "mounts": (mount,)}
        return planning.private(Service("it", image="traefik:v3", **given))

    return planned


@pytest.mark.parametrize(
    ("argv", "environment", "text", "key"),
    [
        (("--providers.docker=true",), {}, "", "command"),
        (("--providers.docker", "--ping"), {}, "", "command"),
        (("sh", "-c", "traefik --providers.swarm.endpoint=x"), {}, "", "command"),
        (("--providers.kubernetesIngress",), {}, "", "command"),
        ((), {"TRAEFIK_PROVIDERS_DOCKER": "true"}, "", "environment"),
        ((), {"TRAEFIK_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT": "1"}, "", "environment"),
        ((), {}, "providers:\n  docker:\n    exposedByDefault: false\n", "volumes"),
        ((), {}, "[providers.docker]\n", "volumes"),
    ],
)
def test_routes_of_containers_are_refused_when_planning(traefik, argv, environment, text, key):
    with pytest.raises(ConfigError, match=r"takes its routes from (docker|swarm|kube)") as caught:
        traefik(argv, environment, text)
    assert caught.value.key == f"services.it.{key}"
    assert "--providers.file.filename" in caught.value.remedy


def test_variables_configure_it_as_in_its_image(traefik):
    given = {
        "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS": ":80",
        "TRAEFIK_PROVIDERS_FILE_FILENAME": "/routes.yml",
        "TRAEFIK_PROVIDERS_DOCKER": "false",
        "NOTE": "providers.docker",
    }
    service = traefik(("--providers.docker=false", "--ping"), given)
    assert given.items() <= service.environment.items()
    assert service.argv == ("--providers.docker=false", "--ping")
