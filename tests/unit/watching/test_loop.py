"""The loop of a watch: it misses no edit, tries nothing twice, and ends with its stack."""

import pytest

from stackproof.errors import StartFailed
from stackproof.lifecycle.watching import loop
from stackproof.lifecycle.watching.doing import Edit
from stackproof.stack.running_record import read_about, write_about


class Typist:
    """Edits files one step at a time, each while the watch listens."""

    def __init__(self, resolved, steps):
        self.resolved = resolved
        self.steps = list(steps)
        self.listening = 0
        self.at_arming = []

    def listen(self, folders):
        self.listening += 1
        for edit in self.at_arming[:1]:
            edit()
        self.at_arming = self.at_arming[1:]
        return self

    def next(self):
        if not self.steps:
            self.resolved.run.about.unlink()  # `invoke down`
            return frozenset()
        saved = self.steps.pop(0)()
        return frozenset(saved if isinstance(saved, list) else [saved] if saved else [])

    def close(self):
        self.listening -= 1


class Watched:
    """A stack that is up by its record alone; what would be done to it is noted."""

    def __init__(self, project):
        self.project = project
        self.resolved = project.resolve()
        self.said, self.done, self.fails = [], [], ""
        self.resolved.run.path.mkdir(parents=True, mode=0o700)
        write_about(self.resolved.run, self.resolved.record(complete=True))

    def watch(self, *steps, at_arming=()):
        typist = Typist(self.resolved, steps)
        typist.at_arming = list(at_arming)
        loop.watch(self.resolved, self.said.append, listen=typist.listen)
        assert typist.listening == 0
        assert self.said.pop() == "shop-e2e is not up any more; the watch has ended"


@pytest.fixture
def watched(project, monkeypatch):
    made = Watched(project)

    def follow(edit):
        made.done.append([act.service for act in edit.meaning.acts])
        if made.fails:
            write_about(edit.now.run, edit.known.without_start_of(made.done[-1]))
            raise StartFailed(made.fails)
        write_about(edit.now.run, edit.after)

    monkeypatch.setattr(Edit, "follow", follow)
    return made


def test_what_is_edited_while_nobody_listens_yet_is_found(project, watched):
    watched.watch(at_arming=[lambda: project.write("api/main.py", "print(2)\n")])
    assert watched.done == [["api"]]


def test_new_folders_are_listened_to_from_then_on(project, watched):
    late = lambda: project.write("api/new/late.py", "print(3)\n")  # noqa: E731 - one of two edits
    watched.watch(
        lambda: project.write("api/new/main.py", "print(2)\n").parent,
        at_arming=[lambda: None, late],
    )
    assert watched.done == [["api"], ["api"]]


def test_a_burst_of_saves_is_one_restart(project, watched):
    def save_all():
        names = ("api/main.py", "api/other.py", "api/main.py", "web/main.py")
        return [project.write(name, f"print({at})\n") for at, name in enumerate(names)]

    watched.watch(save_all, lambda: project.folder / "api/main.py")  # a late word of the same
    assert watched.done == [["api", "web"]]


def test_files_that_services_and_editors_write_wake_nobody(project, watched):
    def swap():
        project.write("api/main.py", "print(2)\n")  # not told
        return project.write("api/.main.py.swp", "")

    watched.watch(swap, lambda: project.write("api/shop.db", ""))
    assert watched.done == []


def test_what_has_failed_is_tried_again_by_another_edit_only(project, watched):
    watched.fails = "api exited with status 1"

    def mend():
        watched.fails = ""
        return project.write("api/main.py", "print(3)\n")

    watched.watch(
        lambda: project.write("api/main.py", "print(\n"),
        lambda: project.write("api/unrelated.tar", "").unlink() or project.folder / "api/x",
        mend,
    )
    assert watched.done == [["api"], ["api"]]
    assert watched.said == [
        "ERROR api exited with status 1\nstill watching; the next edit is tried again"
    ]


def test_an_edit_that_failed_is_undone_in_its_service_as_well(project, watched, monkeypatch):
    def fail(edit):
        watched.done.append([(act.service, act.does) for act in edit.meaning.acts])
        if len(watched.done) == 1:  # the file is there by then, and the record is as it was
            raise StartFailed("web exited with status 1")
        write_about(edit.now.run, edit.after)

    monkeypatch.setattr(Edit, "follow", fail)
    page = "web/pages/index.html"
    watched.watch(
        lambda: project.write(page, "2\n"),
        lambda: project.write(page, "1\n"),
        lambda: project.write(page, "1\n"),
    )
    assert watched.done == [[("web", "sync")], [("web", "sync")]]


def test_a_broken_stack_file_is_told_once_and_the_rest_goes_on_when_it_is_mended(project, watched):
    def broken():
        project.edit("services:", "services: [")
        return project.folder / "compose.yaml"

    def mended():
        project.edit("services: [", "services:")
        return project.write("api/main.py", "print(2)\n")

    watched.watch(broken, lambda: project.write("api/a.py", ""), mended)
    assert watched.done == [["api"]]
    (told,) = watched.said
    assert "compose.yaml" in told
    assert "not YAML" in told


def test_another_name_for_the_stack_is_refused_with_the_way_out(project, watched):
    watched.watch(
        lambda: project.write(
            "config/shop.yaml", "compose_files: [../compose.yaml]\nproject: other\n"
        )
    )
    assert "the files call the stack other now" in watched.said[0]
    assert "invoke down --project shop-e2e" in watched.said[0]
    assert read_about(watched.resolved.run) is None


def test_a_newer_edit_ends_the_wait_for_an_older_one(project, watched, monkeypatch):
    ends = []

    def follow(edit):
        watched.done.append([act.service for act in edit.meaning.acts])
        if len(watched.done) == 1:
            edit.waiting("waiting for api")  # nothing is new
            project.write("api/main.py", "print(3)\n")
            ends.append("newer")
            edit.waiting("waiting for api")
            ends.append("not reached")
        write_about(edit.now.run, edit.after)

    monkeypatch.setattr(Edit, "follow", follow)
    edits = [project.folder / "api/main.py"] * 3
    watched.watch(
        lambda: project.write("api/main.py", "print(\n"),
        *(lambda path=path: path for path in edits),
    )
    assert ends == ["newer"]
    assert watched.done == [["api"], ["api"]]
