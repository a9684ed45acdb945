"""What an edit means: which services start anew, start again, get files, or are left alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.lifecycle.watching.folders import (
    files_of_rules,
    refuse_unsupported,
    rules_of,
    watched_folders,
)
from stackproof.lifecycle.watching.meaning import changed_files, meaning, rule_of, target_of
from stackproof.stack_file.model import WatchRule


class Before:
    """A project as it was started."""

    def __init__(self, project):
        self.project = project
        resolved = project.resolve()
        self.record = resolved.record(complete=True)
        self.files = files_of_rules(rules_of(resolved))

    def meaning(self, *, lays_out=True):
        """What has happened since then means."""
        now = self.project.resolve()
        files = files_of_rules(rules_of(now))
        changed = {name: changed_files(self.files.get(name, {}), files[name]) for name in files}
        after = now.of_run(self.record).record(complete=True)
        return meaning(self.record, after, rules_of(now), changed, lays_out=lays_out)


@pytest.fixture
def before(project):
    return Before(project)


def test_nothing_is_done_where_a_file_was_saved_without_a_change(project, before):
    project.write("api/main.py", "print(1)\n")
    project.write("api/__pycache__/main.cpython-312.pyc", "x")
    found = before.meaning()
    assert not found
    assert not found.left


def test_a_source_its_lock_and_its_settings_start_a_service_without_rules_anew(project, before):
    lock = project.write("api/requirements.txt", "six==1.17.0\n")
    (act,) = before.meaning().acts
    assert (act.service, act.does, act.why) == ("api", "anew", (lock,))
    project.write("api/requirements.txt", "")
    source = project.write("api/new.py", "print(2)\n")
    project.edit("GREETING: hello", "GREETING: hi")
    (act,) = before.meaning().acts
    assert (act.service, act.does) == ("api", "anew")
    assert act.why == (source, "environment GREETING: hello → hi")


def test_new_services_start_and_those_of_the_file_no_longer_are_removed(project, before):
    project.edit("  api:", "  other:")
    found = before.meaning()
    assert [(act.service, act.does, act.why) for act in found.acts] == [("other", "anew", ("new",))]
    assert found.removed == ("api",)


def test_other_rules_are_no_other_service(project, before):
    project.edit("ignore: [", "ignore: [more, ")
    assert not before.meaning()


def test_a_start_that_failed_is_tried_again_and_named_by_what_was_edited(project, before):
    source = project.write("api/main.py", "print(\n")
    before.record = before.record.without_start_of(["api"])
    assert before.meaning().acts[0].why == (source,)
    project.write("api/main.py", "print(1)\n")
    assert before.meaning().acts[0].why == ("its last start did not come to its end",)


@pytest.mark.parametrize(
    ("name", "does", "elsewhere", "targets"),
    [
        ("requirements.txt", "anew", "anew", []),
        ("static/a.css", "sync", "sync", ["/app/static/a.css"]),
        ("pages/index.html", "sync", "sync", ["/app/pages/index.html"]),
        ("conf/c.conf", "sync", "sync", ["/app/conf/c.conf"]),
        ("main.py", "anew", "restart", ["/app/main.py"]),
        ("restart.txt", "restart", "restart", []),
    ],
)
def test_a_rule_decides(project, before, name, does, elsewhere, targets):
    path = project.write(f"web/{name}", "2\n")
    for lays_out, expected in ((True, does), (False, elsewhere)):
        (act,) = before.meaning(lays_out=lays_out).acts
        assert (act.service, act.does, act.why) == ("web", expected, (path,))
        if expected != "anew":
            assert [file.target for file in act.files] == targets
            assert [rule.command for rule in act.then] == (
                [("nginx", "-s", "reload")] if "conf" in name else []
            )


@pytest.mark.parametrize(
    "name", ["static/readme.md", "static/drafts/b.css", "pages/notes.txt", "other.py"]
)
def test_a_file_that_no_rule_is_for_leaves_its_service_alone(project, before, name):
    project.write(f"web/{name}", "2\n")
    found = before.meaning()
    assert not found
    assert found.left == ("web",)


def test_of_several_changes_the_one_that_does_most_counts(project, before):
    project.write("web/static/a.css", "2\n")
    project.write("web/restart.txt", "2\n")
    (act,) = before.meaning().acts
    assert (act.does, [file.target for file in act.files]) == ("restart", ["/app/static/a.css"])
    project.write("web/requirements.txt", "six\n")
    assert before.meaning().acts[0].does == "anew"


def test_a_file_that_is_gone_is_a_change(project, before):
    (project.folder / "web/static/a.css").unlink()
    (act,) = before.meaning().acts
    assert [file.target for file in act.files] == ["/app/static/a.css"]


def test_the_folders_of_sources_rules_and_settings_are_watched_and_no_caches(project):
    project.write("api/node_modules/x/y.js", "")
    project.write("api/.git/x", "")
    project.write("api/.dockerignore", "")
    project.write("api/deep/empty/.keep", "")
    found = {str(path.relative_to(project.folder)) for path in watched_folders(project.resolve())}
    assert {".", "config", "api", "api/deep/empty", "web", "web/static/drafts"} <= found
    assert not any("node_modules" in path or ".git" in path for path in found)


def test_a_command_as_somebody_else_is_refused_by_the_watch_alone(project):
    project.edit("nginx -s reload}", "nginx -s reload, user: root}")
    resolved = project.resolve()
    with pytest.raises(ConfigError, match="runs as its service does") as caught:
        refuse_unsupported(resolved)
    assert "compose.yaml:14: services.web.develop.watch[3].exec.user" in str(caught.value)


def test_the_first_rule_that_a_file_is_meant_by_counts():
    narrow = WatchRule("rebuild", Path("/p/a/b"))
    wide = WatchRule("sync", Path("/p/a"), "/app")
    assert rule_of(Path("/p/a/b/c"), [narrow, wide]) is narrow
    assert rule_of(Path("/p/a/b/c"), [wide, narrow]) is wide
    assert rule_of(Path("/p/abc"), [wide, narrow]) is None
    assert rule_of(Path("/p/a"), [replace(wide, ignore=("**",))]).action == "sync"


NAMES = st.text(st.sampled_from("ab.*!-[]"), min_size=1, max_size=6).filter(
    lambda text: text not in {".", ".."}
)


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(NAMES, max_size=3), NAMES)
def test_a_file_is_given_below_the_target_of_its_rule_alone(parts, patterns, target):
    rule = WatchRule("sync", Path("/p"), f"/{target}", ignore=tuple(patterns))
    path = Path("/p", *parts)
    if rule_of(path, [rule]) is not None:
        assert target_of(path, rule) == "/".join([f"/{target}", *parts])
