"""What `init` makes of repositories whose owners have never heard of it."""

import pytest
from tests.unit.init.repositories import (
    CELERY,
    DJANGO,
    FASTAPI,
    FLASK,
    KIBANA,
    MACHINE,
    initialised,
    proposal_of,
    repository,
    settings_of,
)

from stackproof.errors import ConfigError
from stackproof.settings import Command, Database
from stackproof.stack_file import load_stack_file
from stackproof.tasks.init.compose_files import compose_files
from stackproof.tasks.init.env_files import missing_env_files


def test_fastapi_with_postgresql_alembic_and_redis(tmp_path):
    written = initialised(repository(tmp_path / "shop", FASTAPI))
    settings = settings_of(tmp_path / "shop")
    assert settings.engine == "process"
    assert settings.database == Database("db", "shop_e2e")
    assert settings.environment == {
        "web": {"DATABASE_URL": "postgresql://shop:shop@db:5432/shop_e2e"},
        "db": {"POSTGRES_DB": "shop_e2e"},
    }
    assert settings.ports == {"web": 18000, "db": 15432}
    assert settings.migrate == (Command("web", ("alembic", "upgrade", "head")),)
    assert settings.seed == (Command("web", ("python", "-m", "app.seed")),)
    assert list(written) == [
        "config/shop.yaml", "tests/integration/test_smoke.py", "tasks.py", "noxfile.py",
        ".env.integration.example", ".gitignore", ".github/workflows/integration.yml",
    ]  # fmt: skip
    assert 'packages=("stackproof[embedded]",)' in written["noxfile.py"]


def test_what_is_read_from_the_written_config_is_what_was_planned(tmp_path):
    root = repository(tmp_path / "shop", FASTAPI)
    planned = proposal_of(root).settings
    initialised(root)
    read = settings_of(root)
    same = ("stack", "engine", "world", "ports", "database", "environment", "migrate", "seed",
            "one_shots", "gateway_service", "compose_files", "project")  # fmt: skip
    assert {key: getattr(read, key) for key in same} == {key: getattr(planned, key) for key in same}


def test_the_first_test_asks_each_service_in_its_own_way(tmp_path):
    text = initialised(repository(tmp_path, FASTAPI))["tests/integration/test_smoke.py"]
    assert 'httpx.get(running_stack.url("web"), timeout=30).status_code' in text
    assert 'running_stack.rows("select 1 as one")' in text
    compile(text, "test_smoke.py", "exec")


def test_django_reads_its_env_file_from_the_example_and_loads_fixtures(tmp_path):
    root = repository(tmp_path / "site", DJANGO)
    (files,) = compose_files(root)
    assert missing_env_files(files) == {root / ".env": root / ".env.example"}
    (root / ".env").write_text((root / ".env.example").read_text())
    written = initialised(root)
    settings = settings_of(root)
    assert settings.database == Database("db", "site_e2e")
    assert settings.environment == {"web": {"POSTGRES_DB": "site_e2e"},
                                    "db": {"POSTGRES_DB": "site_e2e"}}  # fmt: skip
    assert settings.migrate == (Command("web", ("python", "manage.py", "migrate", "--noinput")),)
    assert settings.seed == (Command("web", ("python", "manage.py", "loaddata", "polls")),)
    assert "cp -n .env.example .env" in written[".github/workflows/integration.yml"]
    assert (root / ".gitignore").read_text().startswith(".env\n*.pyc\n\n# stackproof\n")


def test_flask_with_redis_is_asked_for_what_its_health_check_asks(tmp_path):
    written = initialised(repository(tmp_path, FLASK))
    text = written["tests/integration/test_smoke.py"]
    assert 'running_stack.url("web") + "/health"' in text
    assert settings_of(tmp_path).database is None
    assert settings_of(tmp_path).migrate == ()


def test_a_celery_worker_is_ready_when_it_says_so_and_its_tasks_py_stays(tmp_path):
    root = repository(tmp_path / "jobs", CELERY)
    written = initialised(root)
    overlay = load_stack_file(settings_of(root).compose_files, {})
    assert overlay.services["worker"].extension == {"ready": {"log": r"celery@\S+ ready"}}
    assert overlay.services["quiet"].extension == {}  # at its usual level it does not say so
    assert (root / "tasks.py").read_text() == "from celery import Celery\n"
    assert "namespace()" in written["stack_tasks.py"]
    assert settings_of(root).ports == {"rabbitmq": {5672: 25672, 15672: 35672}}


@pytest.mark.parametrize(("runs", "ready"), [
    ("command: celery -A proj worker --loglevel=info", {"ready": {"log": r"celery@\S+ ready"}}),
    ("", {}),
])  # fmt: skip
def test_the_check_of_a_dockerfile_tells_of_a_worker_that_runs_its_command(tmp_path, runs, ready):
    own = 'HEALTHCHECK CMD celery inspect ping\nCMD ["celery", "worker", "--loglevel=info"]\n'
    command = "command: celery -A proj worker --loglevel=info"
    changed = {
        "compose.yaml": CELERY["compose.yaml"].replace(command, runs),
        "Dockerfile": CELERY["Dockerfile"] + own,
    }
    root = repository(tmp_path / "jobs", {**CELERY, **changed})
    initialised(root)
    overlay = load_stack_file(settings_of(root).compose_files, {})
    assert overlay.services["worker"].extension == ready


def test_of_services_that_need_docker_all_refusals_are_told_and_the_copy_is_in_containers(tmp_path):
    root = repository(tmp_path, KIBANA)
    proposal = proposal_of(root)
    refused = {one.service: one.refusals["process"] for one in proposal.verdicts}
    assert refused["web"] == ()
    assert "kibana:8.15.0" in refused["kibana"][0]
    assert "elasticsearch:8.15.0" in refused["search"][0]
    assert all(one.runs_on("compose") for one in proposal.verdicts)
    initialised(root)
    assert settings_of(root).engine == "compose"


def test_a_console_that_needs_docker_is_left_out_and_so_is_what_a_person_names(tmp_path):
    root = repository(tmp_path, KIBANA)
    proposal = proposal_of(root, without=["mongo"])
    assert proposal.settings.engine == "process"
    assert proposal.settings.excluded == ("mongo", "kibana")
    assert [service.name for service in proposal.plan.services] == ["web"]
    initialised(root, without=["mongo"])
    assert settings_of(root).excluded == ("mongo", "kibana")
    assert proposal_of(root).settings.excluded == ("mongo", "kibana")  # as before


def test_the_refusal_of_one_service_is_not_told_of_those_that_wait_for_it(tmp_path):
    compose = KIBANA["compose.yaml"].replace(
        "uvicorn app:app", "uvicorn app:app\n            depends_on: [mongo]"
    )
    root = repository(tmp_path, {**KIBANA, "compose.yaml": compose})
    found = {one.service: one.refusals["process"] for one in proposal_of(root).verdicts}
    assert found["web"] == ()
    assert len(found["mongo"]) == 1


def test_a_profile_that_is_off_does_not_decide_about_the_engine(tmp_path):
    compose = KIBANA["compose.yaml"].replace('"mongo:7"', '"mongo:7", profiles: [documents]')
    root = repository(tmp_path, {**KIBANA, "compose.yaml": compose})
    assert proposal_of(root).settings.engine == "process"


def test_the_name_of_a_service_that_is_left_out_leads_nowhere(tmp_path):
    compose = KIBANA["compose.yaml"].replace(
        "uvicorn app:app", 'uvicorn app:app\n            environment: {KIBANA_URL: "http://kibana"}'
    )
    root = repository(tmp_path, {**KIBANA, "compose.yaml": compose})
    proposal = proposal_of(root, without=["mongo"])
    assert proposal.settings.external == ("kibana",)
    assert not any("decide" in note for note in proposal.notes)


def test_an_override_file_belongs_to_the_stack(tmp_path):
    override = "services: {web: {ports: ['9000:9000'], environment: {DEBUG: '1'}}}\n"
    root = repository(tmp_path, {**FASTAPI, "docker-compose.override.yml": override})
    initialised(root)
    settings = settings_of(root)
    assert [path.name for path in settings.compose_files] == [
        "docker-compose.yml", "docker-compose.override.yml",
    ]  # fmt: skip
    assert settings.ports["web"] == {8000: 18000, 9000: 19000}


def test_compose_file_in_dotenv_names_the_files_as_docker_compose_takes_it(tmp_path):
    more = "services: {web: {environment: {DEBUG: '1'}}}\n"
    root = repository(
        tmp_path,
        {**FASTAPI, "dev.yml": more, ".env": "COMPOSE_FILE=docker-compose.yml:dev.yml\n"},
    )
    assert compose_files(root) == [(root / "docker-compose.yml", root / "dev.yml")]
    (root / "dev.yml").unlink()
    with pytest.raises(ConfigError, match=r"\.env: COMPOSE_FILE: there is no file dev.yml"):
        compose_files(root)


def test_a_stack_that_has_a_config_keeps_its_name(tmp_path):
    root = repository(tmp_path / "folder", FASTAPI)
    initialised(root, name="shop")
    assert proposal_of(root).settings.stack == "shop"


def test_each_stack_of_a_monorepo_has_a_config_tests_and_ports_of_its_own(tmp_path):
    for name in ("orders", "billing"):
        repository(tmp_path / "services" / name, FASTAPI)
    found = compose_files(tmp_path)
    assert [files[0].parent.name for files in found] == ["billing", "orders"]
    initialised(tmp_path, "services/orders/docker-compose.yml")
    written = initialised(tmp_path, "services/billing/docker-compose.yml")
    assert settings_of(tmp_path, "orders").ports["web"] == 18000
    assert settings_of(tmp_path, "billing").ports["web"] == 28000
    assert settings_of(tmp_path, "orders").suite("integration").paths == ("tests/orders",)
    assert settings_of(tmp_path, "billing").suite("integration").paths == ("tests/billing",)
    assert 'stacks={"integration": ("billing", "orders")}' in written["noxfile.py"]
    assert "--stack" not in written["tasks.py"]


def test_a_broken_compose_file_is_told_with_every_mistake(tmp_path):
    broken = "services:\n  a: {image: x, prots: []}\n  b: {image: y, comand: z}\n"
    with pytest.raises(ConfigError) as raised:
        proposal_of(repository(tmp_path, {"compose.yaml": broken}))
    assert "compose.yaml:2" in str(raised.value)
    assert "compose.yaml:3" in str(raised.value)


def test_a_folder_without_a_compose_file_says_where_it_looked(tmp_path):
    repository(tmp_path, {"node_modules/x/compose.yaml": "", ".cache/compose.yaml": ""})
    with pytest.raises(ConfigError, match="there is no Compose file") as raised:
        compose_files(tmp_path)
    assert "--file" in str(raised.value)


def test_ports_that_somebody_listens_on_are_left_out_and_those_of_before_are_kept(tmp_path):
    root = repository(tmp_path, FASTAPI)
    busy = type(MACHINE)({"HOME": "/root"}, lambda: "", lambda port: port != 18000)
    initialised(root, machine=busy)
    assert settings_of(root).ports["web"] == 28000
    initialised(root)
    assert settings_of(root).ports["web"] == 28000


def test_services_with_the_sdk_of_a_provider_ask_the_stand_in(tmp_path):
    files = {**FASTAPI, "requirements.txt": "fastapi\nuvicorn\nlangchain_openai==0.3\n"}
    root = repository(tmp_path, files)
    written = initialised(root)
    settings = settings_of(root)
    assert settings.gateway_service == "llm"
    services = load_stack_file(settings.compose_files, {}).services
    assert services["web"].environment["OPENAI_BASE_URL"] == "http://llm:4000/v1"
    assert set(services["web"].depends_on) == {"db", "redis", "llm"}
    assert services["llm"].extension == {"environment_of": "stackproof"}
    assert "stackproof[embedded,gateway]" in written["noxfile.py"]


def test_a_stack_with_a_stand_in_of_its_own_keeps_it(tmp_path):
    compose = FASTAPI["docker-compose.yml"].replace(
        "- REDIS_URL=", "- OPENAI_BASE_URL=http://redis:11434/v1\n              - REDIS_URL="
    )
    files = {"requirements.txt": "openai\n", "docker-compose.yml": compose}
    assert proposal_of(repository(tmp_path, {**FASTAPI, **files})).settings.gateway_service is None


def test_the_example_explains_every_variable_of_the_stack_file(tmp_path):
    compose = FASTAPI["docker-compose.yml"].replace("shop:shop@", "shop:${DB_PASSWORD:-x}@")
    written = initialised(repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose}))
    assert "# DB_PASSWORD=\n" in written[".env.integration.example"]
    assert "# STACKPROOF_PORT_WEB=18000\n" in written[".env.integration.example"]


def test_tests_do_not_go_below_a_conftest_that_imports_the_application(tmp_path):
    root = repository(tmp_path, {**FASTAPI, "tests/conftest.py": "import app.main\n"})
    assert "integration_tests/test_smoke.py" in initialised(root)
    assert settings_of(root).suite("integration").paths == ("integration_tests",)


def test_plugins_that_the_projects_own_options_need_are_installed(tmp_path):
    ini = '[tool.pytest.ini_options]\naddopts = ["--cov=app", "-n", "4"]\n'
    written = initialised(repository(tmp_path, {**FASTAPI, "pyproject.toml": ini}))
    assert '"stackproof[embedded]", "pytest-cov", "pytest-xdist"' in written["noxfile.py"]


def test_a_service_that_migrates_when_it_starts_is_left_to_it(tmp_path):
    files = {
        **FASTAPI,
        "docker-compose.yml": FASTAPI["docker-compose.yml"].replace(
            "command: uvicorn app.main:app --host 0.0.0.0", "command: ./start.sh"
        ),
        "start.sh": "alembic upgrade head\npython app/seed.py\nexec uvicorn app.main:app\n",
    }
    proposal = proposal_of(repository(tmp_path, files))
    assert (proposal.settings.migrate, proposal.settings.seed) == ((), ())
    assert "web runs the migrations of alembic when it starts" in proposal.notes


def test_a_module_below_src_is_run_by_the_name_that_it_is_installed_by(tmp_path):
    files = {name: text for name, text in FASTAPI.items() if not name.startswith("app/")}
    root = repository(tmp_path, {**files, "src/shop/seed.py": "", "tests/seed.py": ""})
    assert proposal_of(root).settings.seed == (Command("web", ("python", "-m", "shop.seed")),)


def test_a_service_that_ends_by_itself_is_said_to(tmp_path):
    compose = FASTAPI["docker-compose.yml"].replace(
        "redis:\n", "migrate: {build: ., command: alembic upgrade head}\n          redis:\n"
    )
    root = repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose})
    initialised(root)
    assert settings_of(root).one_shots == ("migrate",)
    assert settings_of(root).migrate == ()


def test_a_place_outside_of_the_stack_is_left_to_a_decision(tmp_path):
    compose = FASTAPI["docker-compose.yml"].replace(
        "- REDIS_URL=", "- STRIPE_URL=https://api.stripe.example/v1\n              - REDIS_URL="
    )
    proposal = proposal_of(repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose}))
    assert any("external: [api.stripe.example]" in note for note in proposal.notes)
    assert proposal.settings.external == ()


def test_a_variable_that_is_required_and_set_nowhere_gets_a_value_and_is_left_to_a_decision(
    tmp_path,
):
    compose = FASTAPI["docker-compose.yml"].replace(
        "REDIS_URL=redis:", "TOKEN=${TOKEN:?set it}${OTHER?}\n              - REDIS_URL=redis:"
    )
    root = repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose})
    notes = proposal_of(root).notes
    initialised(root)
    assert settings_of(root).variables["TOKEN"] == "token-made-by-init"
    assert [note.split()[5] for note in notes if "requires" in note] == ["TOKEN,", "OTHER,"]


def test_a_workflow_is_written_only_where_it_is_looked_for(tmp_path):
    workflow = ".github/workflows/integration.yml"
    (tmp_path / ".git").mkdir()
    assert workflow not in initialised(repository(tmp_path / "below", FASTAPI))
    assert workflow in initialised(repository(tmp_path, FASTAPI))
    assert workflow not in initialised(repository(tmp_path, {".gitlab-ci.yml": "a: {script: b}"}))


def test_a_web_server_is_asked_by_http(tmp_path):
    compose = 'services: {front: {image: "nginx:1", ports: ["80:80"]}}'
    text = initialised(repository(tmp_path, {"compose.yaml": compose}))[
        "tests/integration/test_smoke.py"
    ]
    assert 'httpx.get(running_stack.url("front"), timeout=30)' in text
