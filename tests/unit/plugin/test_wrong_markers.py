"""A marker that can't be honoured fails the collection, with the test and the words it may use."""

import pytest

pytest_plugins = ["pytester"]

COMPOSE = """
services:
  api: {image: 'shop:1'}
  worker: {image: 'shop:1'}
  beat: {image: 'shop:1', profiles: [beat]}
"""


@pytest.fixture
def collect(pytester, monkeypatch):
    """Collects a test with a marker; gives back what is said."""
    pytester.makefile(".yaml", compose=COMPOSE)
    config = pytester.mkdir("config")
    for name in ("shop", "other"):
        (config / f"{name}.yaml").write_text(f"stack: {name}\ncompose_files: [../compose.yaml]\n")
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(pytester.path / "state"))

    def collect(marker, *options, fixture="stack"):
        pytester.makepyfile(
            f"import pytest\n@pytest.mark.stack({marker})\n"
            "@pytest.mark.parametrize('n', [1, 2, 3])\n"
            f"def test_it(n, {fixture}): pass\ndef test_plain(): pass\n"
        )
        done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--collect-only", *options)
        assert "Traceback" not in done.stdout.str() + done.stderr.str()
        return done

    return collect


@pytest.mark.parametrize(
    ("marker", "options", "told"),
    [
        ('"shop", env={"wroker": {}}', (), ["*has no service 'wroker'*", "*did you mean worker?*"]),
        ('"shop", profiles=["baet"]', (), ["*no profile 'baet'*", "*did you mean beat?*"]),
        ('"shop", profiles="beat"', (), ["*'beat' is not a list of names*"]),
        ('"shop", limits={"api": {"ram": 1}}', (), ["*api has no limit 'ram'*"]),
        ('"shop", isolate=True', (), ["*there is no option 'isolate'*"]),
        ('"shopp"', (), ["*there is no stack 'shopp'*", "*other, shop*", "*did you mean shop?*"]),
        ('"shop", env={"beat": {}}', (), ["*beat is not started in this stack*"]),
        (
            '"shop", isolation="shared", env={"api": {"A": "1"}}',
            (),
            ["*a shared stack can't honour env*", '*the marker says isolation="shared"*'],
        ),
        (
            '"shop", profiles=["beat"]',
            ("--isolation=shared",),
            ["*a shared stack can't honour profiles*", "*--isolation=shared was given*"],
        ),
    ],
)
def test_the_collection_fails_with_the_first_test_and_the_wrong_word(
    collect, marker, options, told
):
    done = collect(marker, *options)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*test_it[[]1] and 2 other tests: *"])
    for line in told:
        done.stdout.fnmatch_lines([line])


def test_the_running_stack_can_honour_no_wish(collect):
    done = collect('"shop", env={"api": {"A": "1"}}', "--stack=shop", fixture="running_stack")
    done.stdout.fnmatch_lines(["*can't honour env*", "*running_stack gives the stack that is up*"])


@pytest.mark.parametrize(
    ("marker", "options"),
    [
        ('"shop", profiles=["beat"], env={"beat": {"A": 1}}', ()),
        ('"shop", env={"beat": {"A": "1"}}', ("--stack-profile=beat",)),
        ('"shop", isolation="shared"', ()),
        ('"shop", isolation="test", env={"api": {"A": "1"}}', ("--isolation=shared",)),
        ('"shop", env={"api": {"A": "1"}}', ("--default-isolation=shared",)),
    ],
)
def test_a_right_marker_is_collected(collect, marker, options):
    assert collect(marker, *options).ret == pytest.ExitCode.OK


def test_a_broken_configuration_is_left_to_the_tests_that_need_it(collect, pytester):
    pytester.makefile(".yaml", compose="services: [")
    assert collect('"shop", env={"api": {"A": "1"}}').ret == pytest.ExitCode.OK
