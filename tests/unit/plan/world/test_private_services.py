"""A service of a private world gets what its container would: nothing is translated."""

from pathlib import Path

import pytest

from stackproof.errors import ConfigError
from stackproof.plan import explain_plan, make_plan, needed_ports
from stackproof.plan.profiles import with_profiles
from stackproof.readiness.probes import (
    CommandProbe,
    HttpProbe,
    ListeningProbe,
    PostgresProbe,
    TcpProbe,
)
from stackproof.settings import load_settings
from stackproof.settings.model import Command
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.model import Healthcheck, Mount, Port, Service

ROOT = Path(__file__).parents[4]


def test_environment_and_command_are_as_written(planning, postgres):
    environment = {"DATABASE_URL": "postgresql://db:5432/a_e2e", "DATA": "/data", "PORT": "8000"}
    app = planning.native(
        "app",
        command=("serve", "--host", "0.0.0.0", "--port", "8000", "--files", "/data"),
        environment=environment,
        ports=(Port(8000, "8000"),),
        mounts=(Mount("volume", "/data", "data"),),
    )
    plan = planning.plan(app, postgres, world="private")
    service = plan.service("app")
    assert service.environment == environment
    assert service.argv == app.command
    assert plan.translations == ()
    assert plan.world == "private"


def test_a_program_is_told_no_port_that_nobody_named(planning):
    service = planning.private(planning.native("app", ports=(Port(8000),)))
    assert service.environment == {}


def test_every_container_port_has_one_of_this_machine_and_is_the_one_listened_on(
    planning, postgres
):
    app = planning.native("app", ports=(Port(8000),), expose=(9000,))
    service = planning.private(app, postgres)
    assert {end.target: end.port for end in service.endpoints} == {8000: 18000, 9000: 19000}
    assert service.listens == ("0.0.0.0", 8000)
    assert service.own_ports == {8000: 8000, 9000: 9000}


def test_in_the_host_world_it_listens_on_the_ports_of_this_machine(planning):
    service = planning.plan(planning.native("app", ports=(Port(8000),))).service("app")
    assert service.listens == ("127.0.0.1", 18000)
    assert service.own_ports == {8000: 18000}


@pytest.mark.parametrize(
    ("test", "probe"),
    [
        ("curl -f http://localhost:8000/health", HttpProbe("http://127.0.0.1:18000/health")),
        ("nc -z localhost 8000", TcpProbe("127.0.0.1", 18000)),
        ("curl -f http://other:8000/", CommandProbe(("/bin/sh", "-c", "curl -f http://other:8000/"))),
        ("test -f /app/ready", CommandProbe(("/bin/sh", "-c", "test -f /app/ready"))),
    ],
)  # fmt: skip
def test_a_service_is_asked_by_its_own_port_or_inside(planning, test, probe):
    app = planning.native("app", ports=(Port(8000),), healthcheck=Healthcheck(("CMD-SHELL", test)))
    other = planning.native("other", ports=(Port(8000),))
    assert planning.private(app, other).probe == probe


def test_a_server_is_asked_by_its_port(planning, postgres):
    assert isinstance(planning.private(postgres).probe, PostgresProbe)
    app = planning.native("app", ports=(Port(8000),))
    assert planning.private(app).probe == ListeningProbe((18000,))


def test_a_written_command_that_asks_is_as_written(planning):
    ready = {"ready": {"command": ["curl", "http://localhost:8000"]}}
    app = planning.native("app", ports=(Port(8000),), extension=ready)
    assert planning.private(app).probe == CommandProbe(("curl", "http://localhost:8000"))


def test_commands_of_migrate_and_seed_are_as_written(planning, postgres):
    planning.configure(migrate=(Command("app", ("migrate", "postgresql://db:5432/a_e2e", "/d")),))
    app = planning.native("app", mounts=(Mount("volume", "/d"),))
    plan = planning.plan(app, postgres, world="private")
    assert plan.migrate[0].argv == ("migrate", "postgresql://db:5432/a_e2e", "/d")


def test_what_only_an_image_has_is_taken_from_the_command_and_said(planning):
    app = planning.built('FROM p\nCMD ["/opt/venv/bin/uvicorn", "app"]')
    plan = planning.plan(app, world="private")
    assert plan.service("app").argv == ("uvicorn", "app")
    assert [told.rule for told in plan.translations] == ["command"]


def test_a_program_that_was_copied_is_run_where_it_is(planning):
    app = planning.built('FROM p\nCOPY . /app\nCMD ["/app/bin/serve", "app"]', files=["bin/serve"])
    assert planning.private(app).argv == ("/app/bin/serve", "app")


def test_user_folder_and_names_come_from_the_dockerfile_and_the_stack_file(planning):
    dockerfile = "FROM p\nRUN useradd -u 1500 app\nWORKDIR /srv\nUSER app\nCMD x"
    world = planning.private(planning.built(dockerfile)).world
    assert (world.hostname, world.working_dir) == ("app", "/srv")
    assert (world.user.uid, world.user.name, world.user.home) == (1500, "app", "/home/app")
    app = planning.built(
        dockerfile,
        user="5:6",
        hostname="h",
        working_dir="sub",
        read_only=True,
        shm_size=9,
        init=True,
    )
    world = planning.private(app).world
    assert (world.hostname, world.working_dir) == ("h", "/srv/sub")
    assert (world.user.uid, world.user.gid) == (5, 6)
    assert (world.read_only, world.shm_size, world.init) == (True, 9, True)


def test_a_user_that_only_the_image_knows_is_said(planning):
    plan = planning.plan(planning.built("FROM own/base\nUSER app\nCMD x"), world="private")
    told = [notice for notice in plan.notices if "numbers of its user app" in notice]
    assert told
    assert plan.service("app").world.user.uid >= 1000


def test_what_stackproof_itself_runs_has_no_user_of_an_image(planning):
    app = planning.built(
        "FROM p\nRUN adduser --system gate\nUSER gate\nCMD x",
        extension={"environment_of": "stackproof"},
    )
    assert planning.private(app).world.user.uid == 0


def test_what_it_gets_is_not_called_ignored(planning):
    app = planning.native(
        "app", user="5", read_only=True, shm_size=9, extra_hosts=("a=10.0.0.1",),
        networks={"in": ()},
    )  # fmt: skip
    from stackproof.stack_file.model import Network

    planning.networks = {"in": Network(internal=True)}
    plan = planning.plan(app, world="private")
    assert [notice for notice in plan.notices if notice.startswith("app: ")] == []
    assert len(planning.plan(app).notices) > 3


def test_this_machines_network_is_refused_and_how_to_go_on_is_said(planning):
    planning.located("services.app.network_mode", 7)
    app = planning.native("app", network_mode="host", joins={"network_mode": "host"})
    with pytest.raises(ConfigError, match="app can't have a private world") as caught:
        planning.plan(app, world="private")
    assert caught.value.line == 7
    assert "world: host" in caught.value.remedy


def test_a_process_in_front_of_it_is_said_to_be_missing(planning):
    plan = planning.plan(planning.native("app", init=True), world="private")
    assert "app: is the first of its processes itself (`init`)" in plan.notices


def test_a_shared_network_has_the_address_of_its_owner(planning):
    web = planning.native("web", ports=(Port(80),))
    side = planning.native("side", network_mode="service:web")
    plan = planning.plan(web, side, world="private")
    assert plan.service("side").world.joins == "web"
    assert plan.address_of("side") == plan.address_of("web") == "172.18.0.2"


def test_a_service_without_a_network_says_that_its_ports_lead_nowhere(planning):
    app = planning.native("app", network_mode="none", ports=(Port(80),))
    plan = planning.plan(app, world="private")
    assert plan.address_of("app") == ""
    assert any("no network" in notice for notice in plan.notices)


def test_containers_and_the_host_world_have_no_world_of_ours(planning):
    service = Service("app", image="x", ports=(Port(80, "80"),))
    assert planning.plan(service, engine="compose", world="private").world == "host"
    plan = planning.plan(planning.native("app"))
    assert plan.service("app").world is None
    assert plan.address_of("app") == ""


def test_what_a_service_sees_is_explained(planning, postgres):
    app = planning.built(
        "FROM p\nRUN useradd -u 1500 app\nWORKDIR /srv\nCOPY . .\nUSER app\nCMD serve",
        files=["a.py"],
        networks={"default": ("web",)},
        extra_hosts=("there=10.0.0.1",),
        tmpfs=("/cache:size=1m", "/run"),
        mounts=(Mount("volume", "/data", "data", read_only=True),),
        read_only=True,
        ports=(Port(8000),),
    )
    side = planning.native("side", network_mode="service:app")
    plan = planning.plan(app, side, postgres, world="private")
    lines = [line.strip() for line in explain_plan(plan)]
    assert lines[0] == f"shop as shop-e2e, engine process, private world, in {plan.run_folder}"
    assert {
        "hostname: app",
        "address: 172.18.0.2/16 on default, as app, web",
        "knows: there as 10.0.0.1",
        "user: app (1500:1500), in /srv",
        f"file: /srv from {planning.root / 'app'}, writes stay in the run",
        f"file: /data from {plan.run_folder}/data/data, read-only",
        "file: /cache in memory, 1m",
        "file: /run in memory",
        "file: everything else is read-only",
        "port 8000: 127.0.0.1:18000 (http)",
        "hostname: side, the network of app",
    } <= set(lines)
    assert not any("with your rights" in line for line in lines)


def test_folders_that_a_dockerfile_makes_are_not_called_undone(planning):
    app = planning.built("FROM p\nRUN install -d -o root /data && make all\nCMD serve")
    told = [notice for notice in planning.plan(app).notices if "not done here" in notice]
    assert len(told) == 1
    assert "`make all`" in told[0]
    assert "install" not in told[0]


@pytest.mark.parametrize("stack", sorted(path.stem for path in (ROOT / "config").glob("*.yaml")))
def test_the_systems_of_this_repository_are_planned_whole_and_alike(stack):
    settings = load_settings(ROOT, stack=stack, environment={"HOME": "/nowhere"})
    stack_file = load_stack_file(settings.compose_files, settings.stack_variables)
    settings = with_profiles(settings, stack_file)
    needed = needed_ports(settings, stack_file, engine="process", everything=True)

    def plan(folder, first):
        ports = {key: first + number for number, key in enumerate(needed)}
        return make_plan(
            settings, stack_file, engine="process", run_folder=folder, ports=ports, world="private"
        )

    one, other = plan(Path("/run/one"), 20000), plan(Path("/run/other"), 30000)
    assert one.translations == ()
    for service in one.services:
        copy = other.service(service.name)
        assert service.world.interfaces == copy.world.interfaces
        assert service.environment == copy.environment
        assert service.argv == copy.argv
        assert [layer.target for layer in service.world.layers] == [
            layer.target for layer in copy.world.layers
        ]
        assert {layer.source for layer in service.world.layers} == {
            Path("/run/one") / layer.source.relative_to("/run/other")
            if layer.source and layer.source.is_relative_to("/run/other")
            else layer.source
            for layer in copy.world.layers
        }


def test_a_web_server_gets_the_files_of_its_dockerfile(planning):
    app = planning.built("FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/", files=("site.conf",))
    plan = planning.plan(app, world="private")
    (service,) = plan.services
    assert service.runtime.image == "nginx"
    assert not any("not built" in notice for notice in plan.notices)
    found = service.world.files_below("/etc/nginx")
    assert [(path, file.name) for path, file in found.items()] == [
        ("/etc/nginx/conf.d/site.conf", "site.conf")
    ]


@pytest.mark.parametrize(
    ("image", "test", "port"),
    [
        ("mysql", ("CMD", "mysqladmin", "ping", "-h", "localhost"), 13306),
        ("mariadb", ("CMD", "healthcheck.sh", "--connect", "--innodb_initialized"), 13306),
        ("mariadb", ("CMD-SHELL", "mariadb-admin ping -uroot || exit 1"), 13306),
        ("rabbitmq:3", ("CMD", "rabbitmq-diagnostics", "ping"), 15672),
    ],
)
def test_what_an_image_asks_by_its_own_commands_is_asked_by_its_port(planning, image, test, port):
    service = planning.private(Service("server", image=image, healthcheck=Healthcheck(test)))
    assert service.probe == TcpProbe("127.0.0.1", port)


def test_a_web_server_may_listen_on_any_of_its_ports(planning):
    service = planning.private(Service("web", image="nginx", ports=(Port(8080),)))
    assert service.probe == ListeningProbe((10080, 18080))
