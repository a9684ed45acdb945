"""Another user of this machine reaches no database and no cache of a running stack."""

import os
import pwd
import shutil
import socket

import pytest

from stackproof.waiting import wait_until

ASKS = """
import socket, sys
answers = []
for port, words in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        with socket.create_connection(("127.0.0.1", int(port)), 20) as link:
            link.sendall(bytes.fromhex(words))
            answers.append("answered" if link.recv(100) else "closed")
    except ConnectionError as error:
        answers.append(type(error).__name__)
print(*answers)
"""
STARTUP = b"\x00\x03\x00\x00user\x00shop\x00database\x00shop_e2e\x00\x00"
POSTGRES = (len(STARTUP) + 4).to_bytes(4) + STARTUP
REDIS = b"PING\r\n"


def rows(project, sql):
    return project.invoke("exec", "db", "--", "sh", "-c", f'psql -qAt "$DATABASE_URL" -c "{sql}"')


@pytest.fixture
def up(project):
    project.invoke("up", "migrate", "seed")
    return project


def ports(project):
    return [
        next(
            word.rsplit(":", 1)[-1]
            for line in project.invoke("urls").splitlines()
            if line.startswith(service)
            for word in line.split()
            if "://" in word
        )
        for service in ("db", "cache")
    ]


def asked(port, words):
    with socket.create_connection(("127.0.0.1", int(port)), 20) as link:
        link.sendall(words)
        return link.recv(100)


def test_a_running_stack_answers_its_user_and_itself_and_nobody_else(up, other_user):
    database, cache = ports(up)
    questions = [database, POSTGRES.hex(), cache, REDIS.hex()]
    done = other_user.run(["/usr/bin/python3", "-c", ASKS, *questions])
    assert set(done.stdout.split()) <= {"closed", "ConnectionResetError"}, done.stderr
    for service in ("db", "cache"):
        log = (up.run_folder.logs / f"{service}.log").read_text()
        assert log.count(f"refused a connection of user {other_user.uid}") == 1
    assert asked(database, POSTGRES)[:1] == b"R"
    assert asked(cache, REDIS) == b"+PONG\r\n"
    # In the service: as the server's user over the port, and over the socket without an address.
    count = "select count(*) from item"
    for options in ('"$DATABASE_URL"', "-U shop -d shop_e2e"):
        command = f'psql -qAt {options} -c "{count}"'
        assert "2" in up.invoke("exec", "db", "--", "sh", "-c", command).split()
    assert "2 passed" in up.invoke("test", "integration")


def test_servers_have_no_rights_of_root_and_their_folders_are_closed(up, other_user):
    unprivileged = os.getuid() or pwd.getpwnam("nobody").pw_uid
    for service, program in (("db", "postgres"), ("cache", "valkey-server|redis-server")):
        command = 'for one in /proc/[0-9]*; do readlink "$one/exe" && stat -c "uid %u" "$one"; done'
        found = up.invoke("exec", service, "--", "sh", "-c", command + "; true")
        lines = found.splitlines()
        owners = {
            lines[at + 1]
            for at, line in enumerate(lines[:-1])
            if line.rsplit("/", 1)[-1] in program.split("|")
        }
        assert owners == {f"uid {unprivileged}"}
        assert other_user.run(["ls", str(up.run_folder.server(service))]).returncode != 0


def test_a_killed_server_refuses_and_its_restart_is_guarded_again(up, other_user):
    database, _ = ports(up)
    up.replace("compose.yaml", "image: postgres:16", "image: postgres:16\n    restart: always")
    up.invoke("up")
    before = (up.run_folder.logs / "db.log").read_text().count("ready to accept connections")
    up.end_database()

    def is_back():
        log = (up.run_folder.logs / "db.log").read_text()
        return log.count("ready to accept connections") > before

    wait_until(is_back, timeout=60, what="the database starts again")
    wait_until(
        lambda: asked(database, POSTGRES)[:1],
        timeout=60,
        what="the port answers again",
        until=lambda answer: answer == b"R",
        retry_on=(ConnectionError,),
    )
    done = other_user.run(["/usr/bin/python3", "-c", ASKS, database, POSTGRES.hex()])
    assert done.stdout.strip() in {"closed", "ConnectionResetError"}, done.stderr


@pytest.fixture
def unset(project):
    """The project, whose database has a password in the stack file that nobody has set."""
    for name in ("${DB_PASSWORD}", "${DB_URL_PASSWORD}"):
        project.replace("compose.yaml", name, "${DB_PASSWORD:-shop}")
    project.replace("config/shop.yaml", "DB_PASSWORD: unset-password, ", "")
    for name in (".env.integration", ".env.integration.example"):
        lines = (project.folder / name).read_text().splitlines()
        project.write(name, "\n".join(one for one in lines if not one.startswith("DB_")) + "\n")
    project.environment["STACKPROOF_CACHE_DIR"] = str(project.outer / "cache")
    yield project
    shutil.rmtree(project.outer / "cache")


def test_a_password_that_nobody_has_set_is_a_secret_that_fits_everywhere(unset):
    said = unset.invoke("up", "migrate", "seed")
    assert "DB_PASSWORD is not set, so a generated secret is used" in said
    command = ["exec", "web", "--", "sh", "-c", 'echo "$DATABASE_URL" | cut -d: -f3 | cut -d@ -f1']
    (secret,) = [line for line in unset.invoke(*command).splitlines() if len(line) == 40]
    assert "2 passed" in unset.invoke("test", "integration")
    assert "nothing has changed" in unset.invoke("up")
    written = [
        path
        for folder in (unset.run_folder.path, unset.folder)
        for path in folder.rglob("*")
        if path.is_file()
        and unset.run_folder.data not in path.parents
        and secret.encode() in path.read_bytes()
    ]
    assert written == []
    unset.invoke("down", "--keep-data")
    unset.invoke("up")
    assert rows(unset, "select count(*) from item").split() == ["2"]
    unset.invoke("down")
