"""The database of the copy has a name of its own, wherever the stack file names it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.init.repositories import FASTAPI, initialised, proposal_of, repository, settings_of

from stackproof.settings import Database
from stackproof.stack_file import load_stack_file
from stackproof.tasks.init.renaming import _renamed

URL = "postgresql://shop:shop@db:5432/shop"


def written(compose, folder):
    root = repository(folder, {**FASTAPI, "docker-compose.yml": compose})
    initialised(root)
    config = settings_of(root)
    return config, load_stack_file(config.compose_files, config.stack_variables)


def test_a_name_from_a_variable_is_changed_there_alone(tmp_path):
    compose = """\
        services:
          web:
            build: .
            command: uvicorn app:app
            environment: {DATABASE_URL: "postgresql://u:p@db/${DB_NAME:-shop}"}
          db:
            image: postgres:16
            environment: {POSTGRES_DB: "${DB_NAME:-shop}", POSTGRES_PASSWORD: p}
        """
    config, stack_file = written(compose, tmp_path)
    assert config.variables["DB_NAME"] == "shop_e2e"
    assert config.environment == {}
    assert stack_file.services["web"].environment["DATABASE_URL"].endswith("/shop_e2e")
    assert config.database == Database("db", "shop_e2e")


def test_a_url_with_a_password_from_a_variable_goes_into_the_overlay_as_it_is_written(tmp_path):
    compose = """\
        services:
          web:
            build: .
            command: uvicorn app:app
            environment: ["DATABASE_URL=postgresql://u:${DB_PASSWORD:-p}@db/shop"]
          db:
            image: postgres:16
            environment: {POSTGRES_DB: shop, POSTGRES_PASSWORD: "${DB_PASSWORD:-p}"}
        """
    config, stack_file = written(compose, tmp_path)
    overlay = config.compose_files[-1].read_text()
    assert "postgresql://u:${DB_PASSWORD:-p}@db/shop_e2e" in overlay
    assert stack_file.services["web"].environment["DATABASE_URL"] == "postgresql://u:p@db/shop_e2e"
    assert config.environment == {"db": {"POSTGRES_DB": "shop_e2e"}}


def test_a_database_that_takes_its_name_from_the_user_gets_one(tmp_path):
    compose = """\
        services:
          web:
            build: .
            command: uvicorn app:app
            environment: {DB_HOST: db, DB_NAME: app, DB_USER: app}
          db: {image: "postgres:16", environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: app}}
        """
    config, _ = written(compose, tmp_path)
    assert config.environment == {"web": {"DB_NAME": "app_e2e"}, "db": {"POSTGRES_DB": "app_e2e"}}


def test_a_name_that_is_built_into_a_program_stays(tmp_path):
    compose = """\
        services:
          web: {build: ., command: uvicorn app:app, environment: {DB_HOST: db}}
          db: {image: "postgres:16", environment: {POSTGRES_DB: shop, POSTGRES_PASSWORD: p}}
        """
    proposal = proposal_of(repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose}))
    assert proposal.settings.database is None
    assert any("keeps its name" in note for note in proposal.notes)


def test_a_file_that_has_the_old_name_built_in_is_told_with_its_line(tmp_path):
    files = {
        **FASTAPI,
        "alembic.ini": "[alembic]\nsqlalchemy.url = postgresql://shop:shop@db:5432/shop\n",
        "app/settings.py": 'URL = os.environ.get("DATABASE_URL", "postgresql://s:s@db/shop")\n',
        "app/other.py": '# postgresql://s:s@db/shop\nURL = "postgresql://s:s@db/shopping"\n',
    }
    notes = [note for note in proposal_of(repository(tmp_path, files)).notes if "decide" in note]
    assert len(notes) == 1
    assert "alembic.ini:2 of web names the database shop, which is shop_e2e" in notes[0]


def test_a_password_that_git_does_not_have_is_written_nowhere(tmp_path):
    compose = """\
        services:
          web: {build: ., command: uvicorn app:app, env_file: .env}
          db: {image: "postgres:16", environment: {POSTGRES_DB: shop}, env_file: .env}
        """
    root = repository(tmp_path, {**FASTAPI, "docker-compose.yml": compose, ".gitignore": ".env\n",
                      ".env": "DATABASE_URL=postgresql://u:canary-of-mine@db/shop\n"})  # fmt: skip
    files = initialised(root)
    assert not any("canary-of-mine" in text for text in files.values())
    assert any("belongs in no committed file" in note for note in proposal_of(root).notes)


def test_a_database_that_is_made_to_be_lost_keeps_its_name(tmp_path):
    compose = (
        FASTAPI["docker-compose.yml"]
        .replace("5432/shop", "5432/shop_test")
        .replace("POSTGRES_DB: shop", "POSTGRES_DB: shop_test")
    )
    config, _ = written(compose, tmp_path)
    assert config.database == Database("db", "shop_test")
    assert config.environment == {}


def test_values_name_a_database_in_many_ways():
    new = "shop_e2e"
    for before, after in {
        "shop": new,
        URL: f"{URL}_e2e",
        f"{URL}?sslmode=disable": f"{URL}_e2e?sslmode=disable",
        f"jdbc:{URL}": f"jdbc:{URL}_e2e",
        "host=db dbname=shop user=shop": f"host=db dbname={new} user=shop",
        "Host=db;Database=shop;Username=shop": f"Host=db;Database={new};Username=shop",
        "postgresql://shop:shop@db:5432/": "postgresql://shop:shop@db:5432/",
        "postgresql://shop@db/shopping": "postgresql://shop@db/shopping",
    }.items():
        assert _renamed(before, "shop", new) == after


@settings(max_examples=50)
@given(st.text(), st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True))
def test_any_text_can_be_renamed_and_without_the_name_stays(text, name):
    changed = _renamed(text, name, f"{name}_e2e")
    assert changed == text or name in text
