"""The tasks as a person types them, on a stack file that was written without stackproof in mind."""

import re
import shlex
import subprocess
import sys

import httpx
import pytest

SECRETS = ("canary-db-p@ss/word", "canary-shop-key-1234", "canary-db-p%40ss%2Fword")


def url(output, service):
    line = next(line for line in output.splitlines() if line.startswith(service + " "))
    return next(word for word in line.split() if "://" in word)


@pytest.fixture
def up(project):
    """The project with its stack up, migrated and seeded."""
    project.table = project.invoke("up", "migrate", "seed")
    return project


def rows(project, sql):
    return project.invoke("exec", "db", "--", "sh", "-c", f'psql -qAt "$DATABASE_URL" -c "{sql}"')


def test_a_whole_life(project):
    output = project.invoke("up")
    assert httpx.get(url(output, "web")).text == "hello"
    assert "completed" in next(one for one in output.splitlines() if one.startswith("once "))
    assert "is up already and nothing has changed" in project.invoke("up")
    project.invoke("migrate")
    project.invoke("seed")
    project.invoke("seed")
    assert rows(project, "select count(*) from item").split() == ["2"]
    assert "2 passed" in project.invoke("test", "integration")
    assert re.search(r"web +running +healthy", project.invoke("status"))
    assert "prepared" in project.invoke("logs", "--service", "once")
    assert "nothing of it is left" in project.invoke("down")
    project.wait_until_nothing_is_left()
    assert "is not up; nothing to do" in project.invoke("down")


def test_the_env_file_is_made_from_the_example_once(project):
    (project.folder / ".env.integration").unlink()
    names = ("DB_PASSWORD", "DB_URL_PASSWORD", "SHOP_API_KEY")
    project.write(".env.integration.example", "".join(f"{one}=from-example\n" for one in names))
    assert "created .env.integration" in project.invoke("config")
    project.replace(".env.integration", "from-example", "my-own-value")
    assert "created .env.integration" not in project.invoke("config")
    assert "my-own-value" in (project.folder / ".env.integration").read_text()


def test_a_changed_configuration_is_told_and_only_what_changed_starts_anew(up):
    before = up.invoke("status")
    up.replace("config/shop.yaml", "GREETING: hello", "GREETING: good evening")
    output = up.invoke("up")
    assert "changed: web: environment GREETING: hello → good evening" in output
    assert [line for line in output.splitlines() if " s  web " in line]
    assert not [line for line in output.splitlines() if " s  db " in line]  # nothing happened to it
    assert httpx.get(url(output, "web")).text == "good evening"

    def pid(text, service):
        return next(line.split()[3] for line in text.splitlines() if line.startswith(service + " "))

    after = up.invoke("status")
    assert pid(before, "db") == pid(after, "db")
    assert pid(before, "web") != pid(after, "web")
    assert rows(up, "select count(*) from item").split() == ["2"]


def test_fresh_starts_from_nothing(up):
    up.invoke("up", "--fresh")
    up.invoke("migrate")
    assert rows(up, "select count(*) from item").split() == ["0"]


def test_reset_returns_the_data_to_the_state_after_seed(up):
    rows(up, "insert into item values (7); delete from item where id = 1")
    up.invoke("reset")
    assert rows(up, "select id from item order by id").split() == ["1", "2"]


def test_restart_gives_a_new_process_that_is_ready(up):
    assert "healthy" in up.invoke("restart", "--service", "web")
    assert httpx.get(url(up.table, "web")).text == "hello"


def test_logs_and_restart_take_services_as_words(up):
    assert "healthy" in up.invoke("restart", "web", "cache")
    lines = up.invoke("logs", "web", "once", "--tail", "50").splitlines()
    assert {line.split()[1] for line in lines} == {"web", "once"}
    assert "no service 'wib'" in up.invoke("logs", "wib", code=1)
    assert "--tail 'x' is not a number of lines" in up.invoke("logs", "--tail", "x", code=1)


def test_any_folder_of_the_project_and_any_other_with_r_mean_the_same_stack(up, tmp_path_factory):
    inside, outside = up.folder / "tests", tmp_path_factory.mktemp("elsewhere")
    for folder, words in [(inside, []), (outside, ["-r", str(up.folder)])]:
        process = subprocess.run(
            [sys.executable, "-m", "invoke", *words, "test", "integration"],
            cwd=folder, env=up.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "2 passed" in process.stdout, process.stdout + process.stderr


def test_closed_and_narrow_streams_are_used_or_named(up):
    up.replace("web/server.py", "print(", "print('café', ")
    up.invoke("restart", "web")
    assert "caf\\xe9" in up.invoke("logs", "web", PYTHONIOENCODING="ascii")

    def shell(line):
        command = f"{shlex.quote(sys.executable)} -m invoke {line}"
        return subprocess.run(
            ["sh", "-c", command], cwd=up.folder, env=up.environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    assert shell("exec web -- sh -c 'cat; echo read' <&-").stdout == "read\n"
    done = shell("status >&-")
    assert (done.returncode, "standard output is closed" in done.stderr) == (1, True)
    assert shell("status 2>&-").returncode == 0


def test_exec_gives_the_commands_own_exit_status_and_streams(up):
    assert "hello" in up.invoke("exec", "web", "--", "sh", "-c", "echo $GREETING; exit 7", code=7)
    assert "no service 'wib'" in up.invoke("exec", "wib", "--", "true", code=1)


def test_exec_of_psql_reaches_the_stacks_database_as_its_user(up):
    query = "select current_user, current_database(), count(*) from item"
    assert up.invoke("exec", "db", "--", "psql", "-Atc", query).strip() == "shop|shop_e2e|2"


def test_a_failed_migrate_shows_its_output_once(up):
    up.replace("scripts/migrate.sh", "create table", "make table")
    output = up.invoke("migrate", code=1)
    assert output.count("syntax error") == 1
    assert "ERROR migrate failed" in output
    assert output.count("LINE 1") == 2  # as it ran, and as the last line in the verdict


def test_logs_can_be_cut_by_count_and_time(up):
    assert len(up.invoke("logs", "--tail", "3").splitlines()) == 3
    assert up.invoke("logs", "--since", "2100-01-01T00:00:00Z") == ""
    assert "neither a duration nor a time" in up.invoke("logs", "--since", "soon", code=1)


def test_no_secret_is_in_any_output_log_or_artifact(up):
    said = up.table + up.invoke("test", "integration") + up.invoke("logs") + up.invoke("urls")
    said += up.invoke("config", "--explain") + up.invoke("status")
    kept = [path for path in (up.folder / ".artifacts").rglob("*") if path.is_file()]
    kept += [path for path in up.run_folder.path.rglob("*") if path.is_file()
             and "data" not in path.relative_to(up.run_folder.path).parts]  # fmt: skip
    assert len(kept) > 10
    assert "key is ********" in said
    for secret in SECRETS:
        assert secret not in said
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
    assert SECRETS[2] in up.invoke("urls", "--show-secrets")


@pytest.mark.parametrize("task", ["migrate", "seed"])
def test_a_database_that_stackproof_did_not_start_is_refused_before_connecting(project, task):
    project.invoke("up")
    foreign = "postgresql://shop@192.0.2.1:9/shop_e2e"
    project.replace("config/shop.yaml", "GREETING: hello", f"GREETING: hello, DB_URL: '{foreign}'")
    output = project.invoke(task, code=1)
    assert f"{task} is refused: an address of a service is not the stack's own" in output
    assert "db: DATABASE_URL leads to 192.0.2.1:9 " in output


def test_what_leads_outside_the_stack_is_refused_before_anything_starts(project):
    foreign = "DB_URL: 'postgresql://shop:canary-prod@prod.example/shop'"
    project.replace("config/shop.yaml", "GREETING: hello", f"GREETING: hello, {foreign}")
    output = project.invoke("up", code=1)
    assert "db: DATABASE_URL leads to prod.example:5432" in output
    assert "`external: [prod.example]`" in output
    assert "canary-prod" not in output
    assert project.nothing_is_left()
    project.replace("config/shop.yaml", "stack: shop", "stack: shop\nexternal: [prod.example]")
    project.invoke("up")
    assert "names the database 'shop'" in project.invoke("seed", code=1)
    project.invoke("down")


def test_a_database_name_that_may_be_somebodys_own_is_refused(project):
    project.replace("config/shop.yaml", "name: shop_e2e", "name: shop")
    assert "_e2e" in project.invoke("up", code=1)


def test_a_database_that_the_stack_file_does_not_make_is_refused_with_both_places(project):
    project.replace("compose.yaml", "POSTGRES_DB: shop_e2e", "POSTGRES_DB: shop_test")
    output = project.invoke("up", code=1)
    assert "config/shop.yaml:5: database.name: the database is 'shop_e2e', but db makes" in output
    assert "compose.yaml:23" in output
    assert project.nothing_is_left()


@pytest.mark.parametrize("task", ["seed", "reset", "migrate", "down"])
def test_a_database_without_the_marker_is_refused(up, task):
    rows(up, "drop schema stackproof cascade")
    assert f"{task} is refused" in up.invoke(task, code=1)
    assert "nothing of it is left" in up.invoke("down", "--force")


def test_kept_data_get_the_marker_of_the_next_run_and_a_copied_one_is_refused(up):
    columns = "made_by, run, server, created_at, digest"
    table = "stackproof.marker"
    before = rows(up, f"select {columns} from {table}").strip().splitlines()[-1]  # noqa: S608 - constants
    run = before.split("|")[1]
    up.invoke("down", "--keep-data")
    up.invoke("up")
    up.invoke("seed")
    old = ", ".join(f"'{value}'" for value in before.split("|"))
    rows(up, f"update {table} set ({columns}) = ({old})")  # noqa: S608 - its own marker
    output = up.invoke("down", code=1)
    assert "the marker in the database of db is not this run's" in output
    assert f"it was made by the run {run}" in output
    digest = "md5(concat_ws('/', made_by, run, '77', created_at))"
    rows(up, f"update {table} set (server, digest) = ('77', {digest})")  # noqa: S608 - the same
    assert "made in the server 77" in up.invoke("seed", code=1)

    up.end_database()
    assert "the database of db does not answer" in up.invoke("seed", code=1)
    up.invoke("down", "--force")


def test_a_service_that_dies_at_start_is_the_message_and_nothing_is_left(project):
    project.replace("config/shop.yaml", "GREETING: hello", "GREETING: broken")
    output = project.invoke("up", code=1)
    assert "ERROR web exited with status 1" in output
    assert "no greeting today" in output
    (log,) = (project.folder / ".artifacts" / "up").glob("2*/logs/web.log")
    assert f"its whole log is {log}" in output
    assert "invoke logs" not in output
    project.wait_until_nothing_is_left()


def test_a_port_that_is_taken_is_named_with_who_has_it(project, free_ports):
    import os
    import socket

    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", free_ports[0]))
        stranger.listen()
        output = project.invoke("up", code=1)
    assert f"web can't have port {free_ports[0]}" in output
    assert f"process {os.getpid()}" in output
    project.wait_until_nothing_is_left()


def test_two_commands_at_once_do_not_meet(project):
    first, second = project.start("up"), project.start("up")
    outputs = [one.communicate(timeout=180)[0] for one in (first, second)]
    codes = sorted(one.returncode for one in (first, second))
    assert codes in ([0, 0], [0, 1]), outputs
    if codes == [0, 1]:
        assert any("another command is working on shop-e2e" in one for one in outputs)
    assert "running" in project.invoke("status")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("compose.yaml", "image: redis:7", "imag: redis:7", "did you mean image?"),
        ("compose.yaml", "image: redis:7", "image: oracle:23", "oracle:23"),
        ("config/shop.yaml", "timeouts:", "timeoutz:", "timeouts"),
        ("config/shop.yaml", "start: 60", "start: soon", "timeouts.start"),
        ("config/shop.yaml", "service: db, name", "service: dd, name", "dd"),
        (".env.integration", "SHOP_API_KEY=", "SHOP_APY_KEY=", "SHOP_API_KEY"),
    ],
)
def test_bad_input_is_one_message_with_the_place_and_the_remedy(project, name, old, new, message):
    project.replace(name, old, new)
    output = project.invoke("up", code=1)
    assert output.startswith("ERROR ")
    assert message in output
    project.wait_until_nothing_is_left()


def test_doctor_finds_everything_in_order_here_and_names_what_is_not(project):
    output = project.invoke("doctor")
    assert "missing" not in output
    project.replace("compose.yaml", "image: postgres:16", "image: postgres:9")
    output = project.invoke("doctor", code=1)
    assert "PostgreSQL 9" in output or "postgres" in output


def test_the_list_of_tasks_teaches(project):
    output = project.invoke("--list")
    for name in ("up", "migrate", "seed", "test", "down", "logs", "status", "exec", "restart",
                 "urls", "config", "doctor", "reset", "clean"):  # fmt: skip
        assert f"\n  {name} " in output
    assert "--fresh" in project.invoke("up", "--help")
