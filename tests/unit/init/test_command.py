"""What `stackproof init` says and writes."""

import pytest
from tests.unit.init.repositories import DJANGO, FASTAPI, KIBANA, repository

from stackproof.tasks.command_line import main
from stackproof.tasks.init import command


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Run it in a repository; give back its exit status and all that it says."""
    monkeypatch.setattr(command.ProcessEngine, "no_world", lambda _: "")
    monkeypatch.setattr(command, "_is_free", lambda _: True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(files, *options):
        root = repository(tmp_path / "shop", files)
        monkeypatch.chdir(root)
        code = main(["init", *options])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def written(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_without_a_terminal_it_shows_and_writes_nothing(init, tmp_path):
    code, said = init(FASTAPI)
    assert code == 0
    assert "+++ config/shop.yaml\n" in said
    assert "nothing was written; `stackproof init --yes` writes it" in said
    assert written(tmp_path / "shop") == set(FASTAPI)


def test_with_yes_it_writes_and_says_what_comes_next(init, tmp_path):
    code, said = init(FASTAPI, "--yes")
    assert code == 0
    assert "web      yes             yes" in said
    assert "next: invoke up migrate seed\n      nox -s integration\n" in said
    assert "config/shop.yaml" in written(tmp_path / "shop")
    assert init(FASTAPI, "--yes")[1].count("nothing to write: all files are there") == 1


def test_on_a_terminal_it_asks_and_no_means_no(init, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_is_asked", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "no")
    init(FASTAPI)
    assert written(tmp_path / "shop") == set(FASTAPI)
    monkeypatch.setattr("builtins.input", lambda question: "")
    init(FASTAPI)
    assert "config/shop.yaml" in written(tmp_path / "shop")


def test_it_says_why_a_service_needs_docker(init):
    code, said = init(KIBANA)
    assert code == 0
    assert "kibana   no              yes" in said
    assert "search   no              yes          profile search" in said
    assert "kibana does not run without Docker: " in said
    assert "compose.yaml:5" in said
    assert "engine: compose" in said


def test_a_service_is_left_out_by_name(init):
    said = init(KIBANA, "--without", "mongo")[1]
    assert "+services: {exclude: [mongo, kibana]}\n" in said
    assert "the copy leaves out mongo, kibana" in said
    code, said = init(KIBANA, "--without", "mongoo")
    assert code == 1
    assert "there is no service 'mongoo' to leave out" in said
    assert "did you mean mongo?" in said


def test_a_service_that_can_not_be_read_can_be_left_out(init, tmp_path):
    files = {
        "compose.yaml": """\
            services:
              web: {build: ., ports: ["8000:8000"]}
              ai: {provider: {type: model}}
              docs: {build: "https://github.com/someone/docs.git"}
            """,
        "Dockerfile": 'FROM python:3.12\nCMD ["uvicorn", "app:app", "--port", "8000"]\n',
        "requirements.txt": "uvicorn\n",
    }
    code, said = init(files, "--yes")
    assert code == 1
    assert "compose.yaml:3: services.ai" in said
    assert "compose.yaml:4: services.docs.build" in said
    assert "a service can be left out: stackproof init --without ai,docs" in said
    code, said = init(files, "--yes", "--without", "ai,docs")
    assert (code, "wrote   config/shop.yaml" in said) == (0, True)
    code, said = init(files, "--yes")  # what an earlier config leaves out stays left out
    assert (code, "nothing to write" in said) == (0, True)


def test_what_only_a_person_can_allow_is_left_to_decide(init, tmp_path):
    files = {
        "compose.yaml": """\
            services:
              proxy:
                image: traefik:v3
                command: --providers.docker
                volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
              watch: {image: "portainer/portainer-ce", volumes: ["/dev/null:/watched"]}
            """,
    }
    code, said = init(files, "--yes")
    assert (code, "wrote   config/shop.yaml" in said) == (0, True)
    assert "proxy does not run without Docker: compose.yaml:4: services.proxy.command: " in said
    for mount in ("/var/run/docker.sock", "/dev/null"):
        assert f"decide: {mount} is of this machine, " in said
        assert f"`mounts: {{{mount!r}: share}}` in config/shop.yaml allows it" in said
    assert "share" not in (tmp_path / "shop/config/shop.yaml").read_text()


def test_of_several_stacks_it_names_each_and_with_a_terminal_asks(init, monkeypatch):
    files = {f"{name}/{file}": text for name in ("a", "b") for file, text in FASTAPI.items()}
    code, said = init(files)
    assert code == 1
    assert "2 stacks: choose one\n  a/docker-compose.yml\n  b/docker-compose.yml" in said
    assert "stackproof init --file a/docker-compose.yml" in said
    answers = iter(["3", "x", "2", "no"])
    monkeypatch.setattr(command, "_is_asked", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert "+++ config/b.yaml" in init(files)[1]


def test_a_missing_env_file_is_made_from_its_example(init, tmp_path):
    assert "nothing was written" in init(DJANGO)[1]
    assert not (tmp_path / "shop" / ".env").exists()
    assert init(DJANGO, "--yes")[0] == 0
    assert (tmp_path / "shop" / ".env").read_text() == DJANGO[".env.example"]


def test_a_wrong_file_is_one_message_and_status_1(init, tmp_path):
    for files, options in (
        ({"compose.yaml": "services:\n  a: {prots: []}\n"}, ()),
        ({}, ("--file", "missing.yaml")),
    ):
        code, said = init(files, *options)
        assert code == 1
        assert said.startswith("ERROR ")
        assert "Traceback" not in said


def test_a_file_of_the_user_that_is_needed_comes_with_what_to_add(init, tmp_path):
    mine = {"noxfile.py": "import nox\n", "tasks.py": "from invoke import task\n"}
    _, said = init({**FASTAPI, **mine}, "--yes")
    assert "noxfile.py is yours and stays as it is" in said
    assert "add to noxfile.py: from stackproof.sessions import" in said
    assert "add to tasks.py: from stackproof.tasks import namespace" in said
    assert (tmp_path / "shop" / "noxfile.py").read_text() == "import nox\n"
