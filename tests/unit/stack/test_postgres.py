"""How tests reach a PostgreSQL service whose password stands in a file."""

from stackproof.plan.model import ServicePlan
from stackproof.plan.mounts.model import PlannedMount
from stackproof.stack.postgres import database_settings, login, psql_command


def database(path, *outside, **environment):
    return ServicePlan("db", (), {"POSTGRES_PASSWORD_FILE": path, **environment}, outside=outside)


def test_the_password_is_read_where_the_service_has_it_from(tmp_path):
    (tmp_path / "password").write_text("of-a-file\n")
    source = str(tmp_path / "password")
    mounted = PlannedMount("/run/secrets/db", "bind", source, "keep", is_file=True)
    for service in (database("/run/secrets/db", mounted), database(source)):
        assert database_settings(service)["POSTGRES_PASSWORD"] == "of-a-file"
        assert login(service)["PGPASSWORD"] == "of-a-file"
    named = database(source, POSTGRES_PASSWORD="named")
    assert database_settings(named)["POSTGRES_PASSWORD"] == "named"


def test_a_file_that_only_the_service_has_leaves_psql_to_the_service_itself():
    settings = database_settings(database("/run/secrets/of-the-image"))
    assert psql_command(settings, ("127.0.0.1", 5432), [])[1] == {}
