"""What programs say of themselves: kept as long as their files stay the same."""

import os

import pytest

from stackproof.engines.process.images import search

COMPILED = b"\x7fELF and more"


@pytest.fixture
def asked(monkeypatch):
    """Programs that were asked for their version; each answers with how often any was."""
    found = []

    def printed(program, *arguments):
        found.append(program)
        return f"server {len(found)}.0", ""

    monkeypatch.setattr(search, "printed", printed)
    return found


def program(folder, name="server", content=COMPILED):
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_compiled_program_is_asked_once_for_its_version(tmp_path, asked):
    server = program(tmp_path)
    assert [search.program_version(server) for _ in range(3)] == ["1.0"] * 3
    assert asked == [server]


@pytest.mark.parametrize("way", ["written", "replaced", "same size and time"])
def test_a_program_that_has_changed_is_asked_again(tmp_path, asked, way):
    server = program(tmp_path)
    before = server.stat()
    search.program_version(server)
    if way == "written":
        server.write_bytes(COMPILED + b"!")
    else:
        program(tmp_path, "new").replace(server)
    if way == "same size and time":
        os.utime(server, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert search.program_version(server) == "2.0"


def test_a_link_that_leads_to_another_program_by_now_is_asked_again(tmp_path, asked):
    link = tmp_path / "server"
    for number in (1, 2):
        link.unlink(missing_ok=True)
        link.symlink_to(program(tmp_path, f"server-{number}"))
        assert search.program_version(link) == f"{number}.0"


def test_another_option_is_another_question(tmp_path, asked):
    server = program(tmp_path)
    assert [search.program_version(server, way) for way in ("-v", "-V")] == ["1.0", "2.0"]


@pytest.mark.parametrize("kind", ["script", "link to a program of another name"])
def test_what_may_start_another_program_is_asked_each_time(tmp_path, asked, kind):
    server = tmp_path / "server"
    if kind == "script":
        program(tmp_path, content=b"#!/bin/sh\nexec newest-server $*\n")
    else:
        server.symlink_to(program(tmp_path, "version-chooser"))
    assert [search.program_version(server) for _ in range(2)] == ["1.0", "2.0"]


def test_a_program_that_did_not_answer_is_asked_again(tmp_path, monkeypatch):
    server = program(tmp_path)
    answers = iter([("", ""), ("server 3.1", "")])
    monkeypatch.setattr(search, "printed", lambda *_: next(answers))
    assert [search.program_version(server) for _ in range(2)] == ["", "3.1"]
