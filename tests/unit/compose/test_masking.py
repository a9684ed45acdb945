"""What the compose engine keeps and says of secrets, and lines that Docker has cut."""

import json

import pytest
from tests.secret_forms import survivors

from stackproof.engines.compose.command_line import CommandLine
from stackproof.engines.compose.containers import PART, Containers, joined_parts
from stackproof.errors import CommandFailed
from stackproof_redaction import MASK, Redactor

SECRET = "canary<p@ss/w'or$d&\"+"
STAMP = "2026-01-31T12:00:00.123456789Z "


def docker_log(*texts):
    """A log as Docker gives it: with a time before each part of a line."""
    parts = []
    for text in texts:
        cut = [text[at : at + PART] for at in range(0, max(len(text), 1), PART)]
        parts.append("".join(STAMP + one for one in cut) + "\n")
    return "".join(parts).encode()


@pytest.mark.parametrize("before", [0, PART - 5, PART, 2 * PART - 1, 3 * PART + 7])
def test_a_line_that_docker_has_cut_is_whole_again(before):
    text = "a" * before + SECRET + "b" * PART
    assert joined_parts(docker_log("first", text, "last")) == (
        f"{STAMP}first\n{STAMP}{text}\n{STAMP}last\n"
    )


@pytest.mark.parametrize("before", [0, PART - 5, PART - 1, 2 * PART - 1])
def test_a_secret_across_such_a_cut_is_masked(before):
    class Api:
        def logs(self, _container, *, stdout, **_options):
            return docker_log("." * before + SECRET, "ab", "cd ef") if stdout else b""

    class Client:
        api = Api()

    class Known(Containers):
        def ids(self):
            return {"web": "1"}

    lines = Known(Client(), "run", "shop").lines("web", Redactor([SECRET, "ab\ncd"]))
    assert [line.text for line in lines] == ["." * before + MASK, MASK, f"{MASK} ef"]


class PartedLog:
    """A log of which the Docker Engine counts each part of a long line as a line."""

    def __init__(self, *texts):
        self.parts = docker_log(*texts).replace(STAMP.encode(), b"\0" + STAMP.encode()).split(b"\0")

    def logs(self, _container, *, stdout, tail, **_options):
        kept = self.parts[1:] if tail == "all" else self.parts[1:][-tail:]
        return b"".join(kept) if stdout else b""


def test_the_last_lines_are_whole_ones_however_many_parts_they_have():
    class Client:
        api = PartedLog("first", SECRET + "." * (5 * PART), "last")

    class Known(Containers):
        def ids(self):
            return {"web": "1"}

    lines = Known(Client(), "run", "shop").lines("web", Redactor([SECRET]), tail=2)
    assert [line.text for line in lines] == [MASK + "." * (5 * PART), "last"]


def test_the_model_that_is_kept_has_no_secret_and_compose_reads_the_same(tmp_path):
    doubled = SECRET.replace("$", "$$")
    model = {
        "name": "shop",
        "services": {
            "web": {
                "image": "shop:1",
                "command": ["serve", f"--key={doubled}"],
                "environment": {"KEY": doubled, "URL": f"http://u:{doubled}@x", "OTHER": "a$$b"},
            }
        },
    }
    line = CommandLine({}, "run", tmp_path, "shop", [SECRET])
    line.write(model)
    assert survivors(SECRET, line.file.read_text()) == []
    read = json.loads(line.file.read_text())["services"]["web"]

    def filled(text):
        for name, value in line.environment.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    assert filled(read["environment"]["KEY"]) == SECRET
    assert filled(read["command"][1]) == f"--key={SECRET}"
    assert read["environment"]["OTHER"] == "a$$b"


def test_what_compose_writes_is_masked_before_it_is_told_or_raised(tmp_path):
    fake = tmp_path / "docker"
    fake.write_text(f"#!/bin/sh\ncat <<'EOF'\nbad {SECRET}\nEOF\nexit 3\n")
    fake.chmod(0o755)
    told = []
    with pytest.raises(CommandFailed) as failure:
        CommandLine({"PATH": f"{tmp_path}:/usr/bin:/bin"}, "run", tmp_path, "shop", [SECRET]).run(
            ["create"], told.append
        )
    assert told == [f"bad {MASK}"]
    assert survivors(SECRET, str(failure.value)) == []
