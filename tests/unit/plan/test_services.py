"""What becomes of a service: command, files, limits, dependencies, and what is said about it."""

from dataclasses import replace
from pathlib import Path

import pytest

from stackproof.errors import ConfigError
from stackproof.plan import explain_plan
from stackproof.readiness.probes import CommandProbe, HealthTiming, RedisProbe
from stackproof.settings.model import Command, Timeouts
from stackproof.stack_file.model import (
    Build,
    Dependency,
    Healthcheck,
    Limits,
    Mount,
    Network,
    Port,
    Restart,
    Service,
)

RUN = Path("/run/shop-e2e")


@pytest.fixture
def built(planning):
    return planning.built


def one(planning, service, *others):
    return planning.plan(service, *others).service(service.name)


# What runs


def test_a_built_service_runs_what_its_dockerfile_says(planning, built):
    app = one(planning, built('FROM python\nENTRYPOINT ["run"]\nCMD ["app"]'))
    assert app.argv == ("run", "app")
    assert app.runtime.project == planning.root / "app"
    assert app.runtime.files == (planning.root / "app" / "requirements.txt",)


def test_a_command_replaces_the_dockerfiles_but_not_its_entrypoint(planning, built):
    app = built('FROM python\nENTRYPOINT ["run"]\nCMD ["app"]', command=("work",))
    assert one(planning, app).argv == ("run", "work")


def test_an_entrypoint_replaces_both(planning, built):
    app = built('FROM python\nENTRYPOINT ["run"]\nCMD ["app"]', entrypoint=("other",))
    assert one(planning, app).argv == ("other",)


@pytest.mark.parametrize(
    ("written", "planned", "explained"),
    [
        ("auto", "auto", None),
        ("off", "off", "nothing"),
        (["numpy", "sqlalchemy.orm"], ("numpy", "sqlalchemy.orm"), "numpy, sqlalchemy.orm"),
    ],
)
def test_what_is_imported_ahead_is_chosen_for_each_service(
    planning, built, written, planned, explained
):
    app = built("FROM python\nCMD serve", extension={"preload": written})
    assert one(planning, app).preload == planned
    told = [line for line in explain_plan(planning.plan(app)) if "imported ahead" in line]
    assert told == ([f"  imported ahead in tests: {explained}"] if explained else [])


@pytest.mark.parametrize("written", ["never", [], ["numpy as np"], [3], True])
def test_what_is_no_module_can_not_be_imported_ahead(planning, built, written):
    app = built("FROM python\nCMD serve", extension={"preload": written})
    with pytest.raises(ConfigError, match=r"x-stackproof\.preload"):
        one(planning, app)


def test_the_command_of_the_extension_is_stronger_than_all(planning, built):
    app = built('FROM python\nCMD ["a"]', command=("b",), extension={"command": "serve 'x y'"})
    assert one(planning, app).argv == ("serve", "x y")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("uv", "run", "uvicorn", "a"), ("uvicorn", "a")),
        (("poetry", "run", "serve"), ("serve",)),
        (("tini", "--", "serve"), ("serve",)),
        (("/usr/bin/tini", "--", "uv", "run", "serve"), ("serve",)),
        (("dumb-init", "serve"), ("serve",)),
        (("/opt/venv/bin/gunicorn", "a"), ("gunicorn", "a")),
        (("/usr/local/bin/python", "a"), ("python", "a")),
        (("/bin/sh", "-c", "x"), ("/bin/sh", "-c", "x")),
        (("uv", "run", "--frozen", "serve"), ("uv", "run", "--frozen", "serve")),
    ],
)
def test_what_only_an_image_needs_is_taken_away(planning, before, after):
    assert planning.command(before) == after


def test_a_service_without_a_command_is_refused(planning, built):
    planning.located("services.app", 3)
    with pytest.raises(ConfigError, match="app has no command") as caught:
        planning.plan(built("FROM python"))
    assert caught.value.line == 3


def test_an_image_that_can_not_be_run_natively_is_refused_with_the_ways_out(planning):
    planning.located("services.queue.image", 5)
    with pytest.raises(ConfigError, match="haproxy:3") as caught:
        planning.plan(Service("queue", image="haproxy:3"))
    assert caught.value.line == 5
    assert "postgres" in caught.value.observed
    assert "--engine compose" in caught.value.remedy


def test_images_builds_and_dockerfiles_are_refused_all_at_once(planning, built):
    web, shop = built("FROM ruby:3\nCMD a", name="web"), built("FROM rust:1\nCMD a", name="shop")
    lost = Service("lost", build=Build(planning.root, dockerfile="Dockerfile.lost"))
    with pytest.raises(ConfigError, match="haproxy:3") as caught:
        planning.plan(web, Service("queue", image="haproxy:3"), shop, lost)
    told = str(caught.value)
    assert "also services.web.build: the process engine can't build web: " in told
    assert "also services.shop.build: the process engine can't build shop: " in told
    assert "also services.lost.build: the Dockerfile can't be read" in told


def test_a_dockerfile_that_does_not_exist_is_named(planning):
    service = Service("app", build=Build(planning.root, dockerfile="Dockerfile.prod"))
    with pytest.raises(ConfigError, match="can't be read") as caught:
        planning.plan(service)
    assert "Dockerfile.prod" in caught.value.observed


def test_all_images_that_can_not_be_run_natively_are_refused_at_once(planning, postgres):
    planning.located("services.queue.image", 12)
    images = {"queue": "pulsar:4", "store": "minio/minio", "proxy": "haproxy"}
    services = [Service(name, image=image) for name, image in images.items()]
    with pytest.raises(ConfigError, match="can't run the images of 3 services") as caught:
        planning.plan(postgres, *services)
    for name, image in images.items():
        assert f"{name}: {image}" in caught.value.observed
        assert name in caught.value.remedy
    assert "compose.yaml:12" in caught.value.observed
    assert (caught.value.line, caught.value.key) == (12, "services.queue.image")


def test_images_that_need_their_own_files_are_refused_at_once_in_the_host_world(planning):
    planning.located("services.proxy.image", 7)
    services = [Service(name, image=name) for name in ("nginx", "mariadb")]
    proxy = Service("proxy", image="nginx:1.27")
    with pytest.raises(ConfigError, match="proxy, nginx, mariadb can run in a private") as caught:
        planning.plan(proxy, *services)
    assert caught.value.line == 7
    assert "world: host" in caught.value.remedy


def test_a_dockerfile_on_top_of_a_known_image_runs_that_image(planning, built):
    app = built("FROM postgres:16\nCOPY init.sql /docker-entrypoint-initdb.d/", files=("init.sql",))
    plan = planning.plan(app)
    assert plan.services[0].runtime.image == "postgres"
    assert "not built" in plan.notices[0]


def test_a_service_that_gets_no_packages_is_said_to_have_none(planning, built):
    plan = planning.plan(built('FROM company/base:2\nCMD ["a"]', files=("package.json",)))
    assert "nothing is installed" in plan.notices[0]
    assert "its image company/base:2 is not built" in plan.notices[0]


def test_packages_of_an_image_that_nobody_can_read_are_said(planning, built):
    said = "packages that its image tiangolo/fastapi:python3.11 brings are not installed here"
    for base, is_said in (("tiangolo/fastapi:python3.11", True), ("python:3.11", False)):
        notices = planning.plan(built(f"FROM {base}\nCMD a")).notices
        assert (f"app: {said}" in notices) is is_said


def test_a_service_gets_the_python_and_the_packages_of_its_dockerfile(planning, built):
    lines = "FROM python:3.10-slim\nCOPY . .\nRUN pip install -r web.txt\nCMD a"
    plan = planning.plan(built(lines, files=("web.txt", "requirements.txt")))
    runtime = plan.service("app").runtime
    assert (runtime.python, runtime.has_base_packages) == ("3.10", True)
    assert runtime.files == (planning.root / "app" / "web.txt",)
    told = "\n".join(explain_plan(plan))
    assert "Python 3.10 (FROM python:3.10-slim), pip install -r web.txt" in told


def test_a_lock_of_the_extension_stands_for_the_requirements_of_the_dockerfile(planning, built):
    (planning.root / "pinned.txt").write_text("")
    lines = "FROM python\nCOPY . .\nRUN pip install -r requirements.txt flask .\nCMD a"
    service = built(lines, extension={"lock": "pinned.txt"})
    (planning.root / "app" / "setup.py").write_text("")
    runtime = one(planning, service).runtime
    assert runtime.files[0] == planning.root / "pinned.txt"
    assert planning.root / "app" / "requirements.txt" not in runtime.files
    assert [install.packages for install in runtime.installs] == [(), ()]
    assert [project.folder for project in runtime.installs[1].projects] == [planning.root / "app"]
    assert runtime.installs[1].options == ("--no-deps",)


def test_a_lock_that_is_not_there_is_refused_with_its_place(planning):
    planning.located("services.app.x-stackproof", 7)
    with pytest.raises(ConfigError, match=r"there is no file .*/gone\.txt") as caught:
        planning.plan(planning.native("app", extension={"lock": "gone.txt"}))
    assert (caught.value.line, caught.value.key) == (7, "services.app.x-stackproof.lock")


def test_every_file_that_says_what_is_installed_is_known(planning, built):
    names = ("all.txt", "base.txt", "bounds.txt", "pyproject.toml")
    service = built("FROM python\nCOPY . .\nRUN pip install -r all.txt -c bounds.txt\nCMD a",
                    files=names)  # fmt: skip
    folder = planning.root / "app"
    (folder / "all.txt").write_text("-r base.txt\n")
    assert [path.name for path in one(planning, service).runtime.files] == list(names[:3])
    (folder / "all.txt").write_text("-r base.txt\n./gone\n")
    with pytest.raises(ConfigError, match="no Python project at") as caught:
        planning.plan(service)
    assert (caught.value.source, caught.value.line) == (folder / "all.txt", 2)


def test_what_of_a_dockerfile_is_not_done_is_said_in_one_line(planning, built):
    lines = "FROM python\nRUN apt-get install -y gcc\nRUN curl x | sh\nRUN ./setup " + "x" * 80
    (notice,) = (
        notice
        for notice in planning.plan(built(f"{lines}\nCMD a")).notices
        if "not done here" in notice
    )
    assert notice.startswith(
        "app: not done here from its Dockerfile: system packages gcc; `curl x`"
    )
    assert "`./setup xxx" in notice
    assert "…`" in notice


def test_a_service_that_runs_the_image_of_another_one_runs_its_build(planning, built):
    web = replace(built("FROM python\nCMD web"), name="web", image="shop")
    worker = Service("worker", image="shop:latest", command=("work",))
    plan = planning.plan(web, worker)
    assert plan.service("worker").argv == ("work",)
    assert plan.service("worker").runtime == plan.service("web").runtime


def test_a_service_may_run_in_stackproofs_own_environment(planning, built):
    app = one(planning, built('FROM p\nCMD ["a"]', extension={"environment_of": "stackproof"}))
    assert app.runtime.own_environment
    assert app.runtime.installs == ()


def test_the_source_folder_of_a_project_is_src_where_there_is_one(planning, built):
    app = one(planning, built('FROM p\nCMD ["a"]', files=("src/a.py",)))
    assert app.runtime.source_roots == (planning.root / "app" / "src",)


def test_postgres_is_stopped_as_its_image_is(planning, postgres):
    assert one(planning, postgres).stop_signal == "SIGINT"


# Environment


def test_the_environment_has_layers(planning, built):
    planning.configure(environment={"app": {"C": "settings", "D": "settings"}})
    app = built(
        'FROM p\nENV A=image B=image PATH=/x:$PATH\nCMD ["a"]',
        environment={"B": "file", "C": "file"},
        extension={"environment": {"D": "extension", "E": 1}},
    )
    assert one(planning, app).environment == {
        "A": "image",
        "B": "file",
        "C": "settings",
        "D": "extension",
        "E": "1",
    }


# Files


def test_the_working_folder_of_the_image_is_the_project(planning, built):
    app = built(
        "FROM p\nWORKDIR /app\nENV PYTHONPATH=/app/src\nCOPY . .\nCMD run",
        environment={
            "CONFIG": "/app/config.toml",
            "DB": "sqlite:////app/x.db",
            "U": "http://x/app",
        },
    )
    found = one(planning, app)
    project = planning.root / "app"
    assert found.environment == {
        "PYTHONPATH": f"{project}/src",
        "CONFIG": f"{project}/config.toml",
        "DB": f"sqlite:///{project}/x.db",
        "U": "http://x/app",
    }
    assert found.working_dir == project


def test_a_folder_that_is_copied_elsewhere_is_found_there(planning, built):
    app = built(
        "FROM p\nWORKDIR /srv\nCOPY backend/ /srv/\nCOPY start.sh /start.sh\nCMD /start.sh",
        files=("backend/a.py", "start.sh"),
    )
    found = one(planning, app)
    assert found.working_dir == planning.root / "app" / "backend"
    assert found.argv == ("/bin/sh", "-c", f"{planning.root}/app/start.sh")


def test_what_another_stage_copies_is_no_file_of_the_project(planning, built):
    app = built("FROM p\nWORKDIR /app\nCOPY --from=x /app /app\nCMD ls /app")
    assert one(planning, app).argv[-1] == "ls /app"


def test_mounts_volumes_and_tmpfs_have_their_place(planning):
    config = planning.root / "config"
    config.mkdir()
    app = planning.native(
        "app",
        mounts=(
            Mount("bind", "/config", str(config)),
            Mount("volume", "/data", "files"),
            Mount("volume", "/cache"),
            Mount("tmpfs", "/scratch"),
        ),
        tmpfs=("/run/x:size=1m",),
        environment={"A": "/config/a:/data/b", "B": "/cache", "C": "/scratch/c", "D": "/database"},
        command=("serve", "--pid=/run/x/pid"),
    )
    found = one(planning, app)
    assert found.environment == {
        "A": f"{config}/a:{RUN}/data/files/b",
        "B": f"{RUN}/data/app-cache",
        "C": f"{RUN}/tmp/app-scratch/c",
        "D": "/database",
    }
    assert found.argv == ("serve", f"--pid={RUN}/tmp/app-run-x/pid")
    assert set(found.folders.values()) == {"/data", "/cache", "/scratch", "/run/x"}


def test_a_tmpfs_with_a_size_holds_no_more(planning):
    app = planning.native(
        "app",
        mounts=(Mount("tmpfs", "/scratch", size=1 << 20), Mount("tmpfs", "/more")),
        tmpfs=("/tmp:mode=1777,size=64m", "/run"),
    )
    assert one(planning, app).sizes == {"/scratch": "1048576", "/tmp": "64m"}


def test_a_mount_inside_another_is_found_first(planning):
    a, b = planning.root / "a", planning.root / "b"
    a.mkdir()
    b.mkdir()
    mounts = (Mount("bind", "/data", str(a)), Mount("bind", "/data/inner", str(b)))
    app = planning.native("app", mounts=mounts, environment={"X": "/data/inner/x /data/y"})
    assert one(planning, app).environment == {"X": f"{b}/x {a}/y"}


def test_two_services_share_a_named_volume(planning):
    mounts = (Mount("volume", "/data", "files"),)
    plan = planning.plan(*(planning.native(name, mounts=mounts) for name in ("a", "b")))
    assert plan.service("a").folders == plan.service("b").folders


def test_a_mount_that_no_setting_names_is_said(planning):
    app = planning.native("app", mounts=(Mount("volume", "/data", "files"),))
    assert any("/data is" in notice for notice in planning.plan(app).notices)


def test_a_mount_of_the_project_itself_is_not(planning, built):
    app = built(
        "FROM p\nWORKDIR /app\nCOPY . .\nCMD a",
        mounts=(Mount("bind", "/app", str(planning.root / "app")),),
    )
    assert not [one for one in planning.plan(app).notices if "built in" in one]


def test_the_data_volume_of_a_known_image_is_its_own_business(planning):
    sql = planning.root / "sql"
    sql.mkdir()
    mounts = (
        Mount("volume", "/var/lib/postgresql/data", "pg"),
        Mount("bind", "/docker-entrypoint-initdb.d", str(sql)),
    )
    db = one(planning, Service("db", image="postgres:16", mounts=mounts))
    assert db.folders == {}
    assert db.mounts == {"/docker-entrypoint-initdb.d": sql}


# Limits, times, dependencies


def test_limits_of_a_service_are_the_settings_then_the_files_then_the_default(planning):
    planning.configure(
        limits=Limits(cpus=1, memory=100, pids=10), service_limits={"app": Limits(memory=300)}
    )
    app = planning.native("app", limits=Limits(cpus=2, memory=200))
    assert one(planning, app).limits == Limits(cpus=2, memory=300, pids=10)


def test_the_setting_shortens_a_stop_grace_period_and_never_lengthens_it(planning):
    planning.configure(timeouts=Timeouts(stop=5))
    slow = planning.native("slow", stop_grace_period=60)
    fast = planning.native("fast", stop_grace_period=1)
    plan = planning.plan(slow, fast)
    assert [service.stop_grace for service in plan.services] == [5, 1]


def test_a_service_that_others_wait_for_to_complete_is_a_one_shot(planning):
    condition = Dependency("service_completed_successfully")
    job = planning.native("job")
    app = planning.native("app", depends_on={"job": condition})
    plan = planning.plan(app, job)
    assert [service.name for service in plan.services] == ["job", "app"]
    assert plan.service("job").one_shot
    assert not plan.service("app").one_shot


def test_a_dependency_of_another_profile_is_left_out(planning):
    beat = planning.native("beat", profiles=("beat",))
    app = planning.native("app", depends_on={"beat": Dependency(required=False)})
    assert planning.plan(app, beat).service("app").depends_on == {}


def test_the_restart_policy_is_handed_on(planning):
    app = planning.native("app", restart=Restart("on-failure", 3))
    assert one(planning, app).restart == Restart("on-failure", 3)


# x-stackproof


@pytest.mark.parametrize(
    ("extension", "key", "said"),
    [
        ({"data": ["var/lib/thing"]}, "data", "absolute path"),
        ({"data": "/"}, "data", "absolute path"),
        ({"projct": "."}, "projct", "did you mean project?"),
        ({"ready": {"logs": "x"}}, "ready.logs", "did you mean log?"),
        ({"ready": "x"}, "ready", "one key"),
        ({"ready": {"log": "x", "tcp": 1}}, "ready", "one key"),
        ({"ready": {"log": "("}}, "ready.log", "regular expression"),
        ({"ready": {"tcp": 99999}}, "ready.tcp", "a port between"),
        ({"ready": {"alive": -1}}, "ready.alive", "a number from 0 up"),
        ({"ready": {"alive": 0}}, "ready.alive", "more than 0 seconds"),
        ({"ready": {"tcp": None}}, "ready", "one key"),
        ({"ready": {"http": "localhost"}}, "ready.http", "URL"),
        ({"command": "a 'b"}, "command", "close the quote"),
        ({"command": []}, "command", "empty"),
        ({"python": 3.1}, "python", 'in quotes: "3.10"'),
        ({"environment": ["A=1"]}, "environment", "mapping"),
        ({"environment_of": "me"}, "environment_of", "stackproof"),
        ({"ports": 80}, "ports", "list"),
        ({"ports": ["x"]}, "ports[0]", "a port between"),
        ({"source": 1}, "source", "text"),
        ({"project": True}, "project", "text"),
    ],
)
def test_a_mistake_in_the_extension_is_named_with_line_and_key(planning, extension, key, said):
    planning.located("services.app.x-stackproof", 7)
    with pytest.raises(ConfigError) as caught:
        planning.plan(planning.native("app", extension=extension))
    assert caught.value.line == 7
    assert caught.value.key == f"services.app.x-stackproof.{key}"
    assert said in str(caught.value)


# What is said


def test_what_a_process_does_not_get_is_said(planning):
    planning.networks = {"back": Network("back", internal=True)}
    app = planning.native(
        "app", user="1000", privileged=True, read_only=True, networks={"back": ()}
    )
    notices = " ".join(planning.plan(app).notices)
    for key in ("`user`", "`privileged`", "`read_only`", "`networks`"):
        assert key in notices


def test_secrets_are_known_by_name_by_url_and_by_list(planning):
    planning.configure(variables={"REGION": "north-1"}, secrets=("REGION",))
    app = planning.native(
        "app", environment={"API_KEY": "sk-123", "URL": "redis://:s%40crt@example.com"}
    )
    assert set(planning.plan(app).secrets) == {"north-1", "sk-123", "s@crt"}


def test_a_secret_that_is_also_a_name_of_the_stack_is_said_instead_of_masked(planning):
    environment = {"POSTGRES_PASSWORD": "postgres", "POSTGRES_USER": "postgres"}
    plan = planning.plan(Service("db", image="postgres:16", environment=environment))
    assert plan.secrets == ()
    assert "POSTGRES_PASSWORD of db is not masked" in plan.notices[0]


def test_a_common_word_is_said_instead_of_masked_unless_it_is_listed(planning):
    app = planning.native("app", environment={"OPENAI_API_KEY": "test"})
    plan = planning.plan(app)
    assert plan.secrets == ()
    assert any("OPENAI_API_KEY of app is not masked, since it is a common word" in one
               for one in plan.notices)  # fmt: skip
    planning.configure(secrets=("OPENAI_API_KEY",))
    assert planning.plan(app).secrets == ("test",)


def test_a_command_finds_mounted_files_where_its_service_does(planning, tmp_path):
    planning.configure(migrate=(Command("app", ("sh", "/scripts/migrate.sh")),))
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    app = planning.native("app", mounts=(Mount("bind", "/scripts", str(scripts), read_only=True),))
    assert planning.plan(app).migrate[0].argv == ("sh", f"{scripts}/migrate.sh")


def test_the_password_of_an_index_in_a_dockerfile_is_a_secret(planning, built):
    lines = (
        "FROM python\nARG PIP_EXTRA_INDEX_URL=https://ci:hunter22@a.example/simple\n"
        "RUN pip install -i https://ci:t0psecret@b.example/simple six\nCMD a"
    )
    plan = planning.plan(built(lines))
    assert {"hunter22", "t0psecret"} <= set(plan.secrets)
    assert "t0psecret" not in "\n".join(explain_plan(plan))


def test_a_switch_is_no_secret(planning):
    environment = {"CHECK_TOKEN": "true", "NEEDS_PASSWORD": "0", "API_KEY": "sk-1234"}
    plan = planning.plan(planning.native("app", environment=environment))
    assert plan.secrets == ("sk-1234",)
    assert [one for one in plan.notices if "masked" in one] == []


def test_a_secret_that_is_too_short_to_be_masked_is_said(planning):
    planning.configure(variables={"FLAG": "true"}, secrets=("FLAG",))
    plan = planning.plan(planning.native("app", environment={"API_KEY": "abc"}))
    told = "\n".join(plan.notices)
    assert "API_KEY of app is not masked: a secret has at least 4 characters" in told
    assert "FLAG of the settings is not masked" in told


@pytest.mark.parametrize(("mode", "told"), [("record", True), ("replay", True), ("fake", False)])
def test_a_gateway_that_keeps_recordings_is_told_what_they_must_not_hold(planning, mode, told):
    planning.configure(gateway_service="llm")
    llm = planning.native("llm", environment={"GATEWAY_LLM": mode})
    app = planning.native("app", environment={"API_KEY": "sk-123"})
    environment = planning.plan(llm, app).service("llm").environment
    assert ("GATEWAY_SECRETS" in environment) is told
    assert "GATEWAY_SECRETS" not in planning.plan(llm, app).service("app").environment


def test_a_secret_is_in_no_explanation(planning, postgres):
    app = planning.native("app", environment={"URL": "postgres://u:hunter22@db/x"})
    lines = "\n".join(explain_plan(planning.plan(app, postgres)))
    assert "hunter22" not in lines
    assert "postgres://u:********@127.0.0.1:15432/x" in lines
    assert "environment URL (url)" in lines
    assert "port 5432: 127.0.0.1:15432 (postgresql)" in lines


def test_a_port_that_is_chosen_at_the_start_is_called_so(planning, postgres):
    app = planning.native("app", ports=(Port(8000),), environment={"URL": "postgres://db/x"})
    later = dict.fromkeys(planning.free_ports(app, postgres), 0)
    plan = planning.plan(app, postgres, ports=later)
    lines = "\n".join(explain_plan(plan))
    assert "port 5432: 127.0.0.1:(a free port) (postgresql)" in lines
    assert "PORT was set to a free port" in lines
    assert ":0 " not in lines


def test_declared_data_are_in_the_data_of_the_run_and_addressed_there(planning):
    app = planning.native(
        "app", command=("serve", "/var/lib/thing/db"), extension={"data": "/var/lib/thing"}
    )
    plan = planning.plan(app)
    service = plan.service("app")
    folder = plan.run_folder / "data" / "app-var-lib-thing"
    assert service.argv == ("serve", f"{folder}/db")
    assert service.folders == {folder: "/var/lib/thing"}


def test_declared_data_in_a_volume_need_no_folder_of_their_own(planning):
    kept = Mount("volume", "/var/lib", "kept")
    app = planning.native("app", mounts=(kept,), extension={"data": ["/var/lib/thing"]})
    assert list(planning.plan(app).service("app").folders.values()) == ["/var/lib"]


def test_containers_know_their_declared_data(planning):
    app = planning.native("app", image="thing:1", extension={"data": ["/srv/a", "/srv/b/"]})
    assert planning.plan(app, engine="compose").service("app").data == ("/srv/a", "/srv/b")


def test_a_port_that_is_published_twice_is_published_once_and_that_is_said(planning):
    ports = (Port(8000, "18000"), Port(8000, "18001"), Port(8001, "18002"))
    plan = planning.plan(planning.native("app", ports=ports))
    told = "app: publishes its port 8000 once, not as 18001 as well (`ports`)"
    assert [notice for notice in plan.notices if "(`ports`)" in notice] == [told]
    assert plan.ports == {("app", 8000): 18000, ("app", 8001): 18002}


def test_what_is_in_the_file_of_a_secret_is_masked(planning):
    planning.root.joinpath("token.txt").write_text("s3cret-of-a-file\n")
    source = str(planning.root / "token.txt")
    for target, is_secret in (("/run/secrets/token", True), ("/etc/token", False)):
        mount = Mount("bind", target, source, read_only=True, written="./token.txt")
        plan = planning.plan(planning.native("app", mounts=(mount,)))
        assert ("s3cret-of-a-file" in plan.secrets) is is_secret


CHECKED = """FROM python
HEALTHCHECK --interval=5s --retries=7 CMD ["check", "it"]
STOPSIGNAL INT
CMD a"""


def test_a_dockerfile_says_how_its_service_is_checked_and_stopped(planning, built):
    waits = planning.native("waits", depends_on={"app": Dependency(condition="service_healthy")})
    app = one(planning, built(CHECKED), waits)
    assert app.probe == CommandProbe(("check", "it"))
    assert (app.timing, app.stop_signal) == (HealthTiming(interval=5.0, retries=7), "SIGINT")


def test_the_stack_file_has_the_last_word_on_that(planning, built):
    check = Healthcheck(("CMD", "mine"), interval=9.0, retries=0)
    app = one(planning, built(CHECKED, healthcheck=check, stop_signal="15"))
    assert app.probe == CommandProbe(("mine",))
    assert app.timing == HealthTiming(interval=9.0, retries=7)
    assert app.stop_signal == "SIGTERM"
    timed = one(planning, built(CHECKED, healthcheck=Healthcheck(interval=9.0)))
    assert (timed.probe, timed.timing.interval) == (CommandProbe(("check", "it")), 9.0)


@pytest.mark.parametrize("written", [{"disable": True}, {"test": ("NONE",), "disable": True}])
def test_the_stack_file_can_turn_the_health_check_of_a_dockerfile_off(planning, built, written):
    assert one(planning, built(CHECKED, healthcheck=Healthcheck(**written))).probe is None


def test_the_health_check_of_a_dockerfile_of_a_native_server_counts_as_well(planning, built):
    text = "FROM redis:7\nHEALTHCHECK --retries=9 CMD redis-cli ping\n"
    app = one(planning, built(text))
    assert isinstance(app.probe, RedisProbe)
    assert app.timing.retries == 9


@pytest.mark.parametrize(("text", "values", "key", "whose"), [
    ("FROM python\nCMD a", {"stop_signal": "SIGSTOPP"}, "app.stop_signal", "or number"),
    ("FROM python\nSTOPSIGNAL 99\nCMD a", {}, "app.build", "number; it is the STOPSIGNAL of its"),
])  # fmt: skip
def test_a_stop_signal_that_there_is_none_of_is_refused(planning, built, text, values, key, whose):
    with pytest.raises(ConfigError, match="app can't be stopped by") as caught:
        planning.plan(built(text, **values))
    assert caught.value.key == f"services.{key}"
    assert whose in caught.value.observed


def test_a_wrong_health_check_is_refused_with_dockerfile_and_line(planning, built):
    with pytest.raises(ConfigError, match="HEALTHCHECK has no command") as caught:
        planning.plan(built("FROM python\nHEALTHCHECK CMD\nCMD a"))
    assert caught.value.observed == "`dockerfile_inline` of app, line 2: `HEALTHCHECK CMD`"


def test_a_check_of_a_dockerfile_whose_command_is_replaced_is_said(planning, built):
    text = "app: the HEALTHCHECK of its Dockerfile decides whether it is ready, as in a container, "
    off = Healthcheck(disable=True)
    for values, is_said in [
        ({"command": ("work",)}, True),
        ({"command": ("work",), "healthcheck": Healthcheck(interval=1.0)}, True),
        ({"command": ("work",), "healthcheck": off}, False),
        ({"command": ("work",), "extension": {"ready": {"log": "at work"}}}, False),
        ({}, False),
    ]:
        notices = planning.plan(built(CHECKED, **values)).notices
        assert any(line.startswith(text) for line in notices) is is_said


def test_postgres_is_stopped_as_the_stack_file_says(planning, postgres):
    stopped = replace(postgres, stop_signal="TERM")
    assert one(planning, stopped).stop_signal == "SIGTERM"
