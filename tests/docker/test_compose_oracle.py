"""`docker compose config` is the oracle: both readers see the same in each file of the corpus.

Each `oracle/<name>.yaml`, with `<name>.2.yaml` and so on merged over it, is resolved by Docker
Compose and by stackproof, and both results are compared as a whole, once with each set of profiles.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.docker.compose_files import CHANGES, SERVICES, whole_file
from tests.docker.compose_shape import as_compose, canonical, differences

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file, select_services

HERE = Path(__file__).parent
CORPUS = HERE / "oracle"
ROOT = HERE.parents[1]
WAY = "install the Compose plugin of Docker (`.ci/provision` as root on Debian does)"
ENVIRONMENT = {
    "SET": "value",
    "EMPTY": "",
    "DOLLAR": "a$b",
    "PORT": "8080",
    "YES": "true",
    "HALF": "0.5",
    "THREE": "3",
    "WAIT": "1m30s",
    "HOME": str(Path.home()),
}
MOST_FILES = int(os.environ.get("STACKPROOF_GENERATED_FILES", "40"))
SERVICES_A_FILE = 12
CASES = sorted(
    [[one, *sorted(CORPUS.rglob(f"{one.stem}.[2-9].yaml"))] for one in CORPUS.glob("*.yaml")
     if "." not in one.stem]
    + [[one] for one in ROOT.glob("systems/*/compose.yaml")]
)  # fmt: skip
AROUND = "services:\n  y: {{image: i}}\n  x: {}\nnetworks: {{n: }}\nvolumes: {{data: }}\n"

NEWER = ("granted", "replicas", "volumes_from")
"""Files of the corpus that the newest version reads as well: what it may have changed."""


def lines_of(name):
    return (CORPUS / name).read_text().splitlines()[1:]


REFUSED = [AROUND.format(one) for one in lines_of("refused.txt")]
UNSUPPORTED = [AROUND.format(one) for one in lines_of("newer.txt")]
REFUSED += "\n".join(lines_of("refused_files.txt")).split("\n-----\n")


def rows_of_differences():
    one = "services: {x: {image: i}}\n"
    found = [("several documents in a file", f"{one}---\n{one}"),
             ("files without services", "services: {}\n")]  # fmt: skip
    row = ""
    for line in lines_of("differences.txt"):
        if line.startswith("{"):
            found.append((row, AROUND.format(line)))
        else:
            row = line
    return found


def name_of(paths):
    path = paths[0] if isinstance(paths, list) else paths
    return path.parent.name if path.name == "compose.yaml" else path.stem


def found_plugin():
    """The program behind `docker compose`, which alone takes a third of its processor time."""
    path = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
    told = subprocess.run(["docker", "info", "--format", path], capture_output=True, text=True)  # noqa: PLW1510 - without an engine it fails, and tells the path
    return told.stdout.strip()


@pytest.fixture(scope="session")
def compose():
    """Runs `docker compose`; without it the tests are skipped, but never in CI."""
    plugin = shutil.which("docker") and found_plugin()
    if not plugin:
        reason = f"there is no `docker compose` command; {WAY}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return runner_of(plugin)


@pytest.fixture(scope="session")
def newest():
    """Runs the newest Docker Compose, which a wheel among the tools of the tests has."""
    return runner_of(Path(sys.executable).with_name("docker-compose"))


def runner_of(plugin):
    def config(paths, *options, form="json", environment=ENVIRONMENT):
        files = [word for path in paths for word in ("-f", str(path))]
        command = [str(plugin), *files, *options, "config", "--format", form]
        variables = {"PATH": os.environ["PATH"], **environment}
        return subprocess.run(command, capture_output=True, text=True, env=variables)  # noqa: PLW1510 - tests look at the code

    return config


def resolved(ran):
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.replace("$$", "$"))  # it escapes each $ of the whole text


def load(paths):
    return load_stack_file(paths, {"PATH": os.environ["PATH"], **ENVIRONMENT})


def sets_of_profiles(stack):
    named = {one for service in stack.services.values() for one in service.profiles}
    return [("*",), (), *((one,) for one in sorted(named))] if named else [()]


@pytest.mark.parametrize("paths", CASES, ids=name_of)
def test_both_readers_see_the_same(compose, paths):
    stack = load(paths)
    for profiles in sets_of_profiles(stack):
        options = [word for one in profiles for word in ("--profile", one)]
        printed = canonical(resolved(compose(paths, *options)), stack.ignored)
        assert not differences(as_compose(stack, select_services(stack, profiles)), printed)


@pytest.mark.parametrize("name", NEWER)
def test_the_newest_compose_reads_later_parts_of_the_specification_as_we_do(newest, name):
    paths = [CORPUS / f"{name}.yaml"]
    stack = load(paths)
    printed = canonical(resolved(newest(paths)), stack.ignored)
    assert not differences(as_compose(stack, select_services(stack, ())), printed)


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_keys_of_newer_versions_are_refused_by_what_they_are(newest, written, text):
    paths = written(text)
    assert not refused_by_compose(newest, paths)
    with pytest.raises(ConfigError, match=r"which stackproof does not|hands the service"):
        load(paths)


@pytest.mark.parametrize("paths", CASES, ids=name_of)
def test_extensions_are_the_same(compose, paths):
    """Compose prints those of services only as YAML."""
    ran = compose(paths, "--profile", "*", form="yaml")
    printed = yaml.safe_load(ran.stdout.replace("$$", "$"))
    theirs = {name: one.get("x-stackproof", {}) for name, one in printed["services"].items()}
    assert {name: one.extension for name, one in load(paths).services.items()} == theirs
    assert load(paths).extension == printed.get("x-stackproof", {})


@pytest.fixture
def written(tmp_path):
    def written(text):
        path = tmp_path / "compose.yaml"
        path.write_text(text)
        (tmp_path / "after_quote.env").write_text('A="a"b\n')
        (tmp_path / "no_name.env").write_text("=a\n")
        return [path]

    return written


def refused_by_us(paths):
    try:
        select_services(load(paths), ["*"])
    except ConfigError:
        return True
    return False


def refused_by_compose(compose, paths):
    return compose(paths, "--profile", "*").returncode != 0


@pytest.mark.parametrize("text", REFUSED)
def test_what_compose_refuses_is_refused(compose, written, text):
    paths = written(text)
    assert refused_by_compose(compose, paths)
    assert refused_by_us(paths)


@pytest.mark.parametrize(("row", "text"), rows_of_differences())
def test_a_difference_is_documented_and_still_there(compose, written, row, text):
    documented = (ROOT / "docs" / "reference" / "stack-file.md").read_text()
    assert f"\n| {row} |" in documented
    paths = written(text)
    assert refused_by_us(paths) != refused_by_compose(compose, paths)


@settings(max_examples=MOST_FILES, deadline=None, derandomize=True, database=None,
          phases=[Phase.generate],
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(st.lists(st.tuples(SERVICES, st.none() | CHANGES), min_size=1, max_size=SERVICES_A_FILE))
def test_both_readers_see_the_same_in_generated_files(compose, generated, drawn):
    """Services that stackproof refuses on their own are left out; Compose takes all others."""
    drawn = [one for one in drawn if refused_by_us(generated([one])) is False]
    paths = generated(drawn)
    stack = load(paths)
    printed = canonical(resolved(compose(paths, "--profile", "*")), stack.ignored)
    assert not differences(as_compose(stack, select_services(stack, ["*"])), printed)


@pytest.fixture
def generated(tmp_path):
    """Writes a file with the first text of each pair as a service, and one with the second."""
    (tmp_path / "one.env").write_text("A=one\nB=$A-${SET}\n")
    (tmp_path / "two.env").write_text("A=two\nC=$A\nSET=two\n")
    paths = [tmp_path / "compose.yaml", tmp_path / "over.yaml"]

    def generated(drawn):
        bases = {f"s{at}": one for at, (one, _) in enumerate(drawn)}
        changes = {f"s{at}": one for at, (_, one) in enumerate(drawn) if one is not None}
        paths[0].write_text(whole_file(bases, first=True))
        paths[1].write_text(whole_file(changes, first=False) if changes else "services: {}\n")
        return paths

    return generated
