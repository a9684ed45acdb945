"""Which extensions of PostgreSQL a stack creates, told from its SQL, migrations and programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.services.database_extensions import database_extensions, extensions_in
from stackproof.stack_file.loader import load_stack_file


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('CREATE EXTENSION IF NOT EXISTS "uuid-ossp";', ["uuid-ossp"]),
        ("create extension pgcrypto; CREATE  EXTENSION hstore WITH SCHEMA public;",
         ["pgcrypto", "hstore"]),
        ("op.execute('CREATE EXTENSION IF NOT EXISTS \"pg_trgm\"')", ["pg_trgm"]),
        ('op.execute("CREATE EXTENSION IF NOT EXISTS \\"citext\\"")', ["citext"]),
        ("CREATE EXTENSION IF NOT EXISTS\n  ltree", ["ltree"]),
        ("operations = [CreateExtension('uuid-ossp'), TrigramExtension(), CITextExtension()]",
         ["uuid-ossp", "pg_trgm", "citext"]),
        ('enable_extension "pgcrypto"', ["pgcrypto"]),
        ('  extensions = [uuidOssp(map: "uuid-ossp"), hstore, pg_trgm(schema: "x")]',
         ["uuid-ossp", "hstore", "pg_trgm"]),
        ("SELECT * FROM pg_extension; -- no extension is created", []),
    ],
)  # fmt: skip
def test_an_extension_is_seen_however_it_is_created(text, names):
    assert list(extensions_in(text)) == names


@given(st.text())
def test_any_text_is_read(text):
    list(extensions_in(f"CREATE EXTENSION {text}; extensions = [{text}]"))


def test_start_up_files_and_build_contexts_are_read(tmp_path):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "1.sql").write_text('create extension "uuid-ossp"')
    (tmp_path / "api" / "app" / "migrations").mkdir(parents=True)
    (tmp_path / "api" / "app" / "migrations" / "0001.py").write_text("[TrigramExtension()]")
    (tmp_path / "api" / "node_modules").mkdir()
    (tmp_path / "api" / "node_modules" / "x.sql").write_text("create extension postgis")
    (tmp_path / "compose.yaml").write_text(
        "services: {db: {image: 'postgres:16', volumes: ['./init:/docker-entrypoint-initdb.d']},"
        " api: {build: api}}"
    )
    found = load_stack_file([tmp_path / "compose.yaml"], {})
    assert database_extensions(found) == ("pg_trgm", "uuid-ossp")
