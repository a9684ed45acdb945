"""Programs that a stack config names for images: the example of the how-to, and what is refused."""

import re

import pytest
from tests.docs.pages import ROOT

from stackproof.engines.process.images import image_of
from stackproof.errors import ConfigError
from stackproof.stack.resolved import StackRequest, resolve
from stackproof.stack.world_choice import ChosenWorld

PAGE = (ROOT / "docs/how-to/run-another-image.md").read_text()
COMPOSE, CONFIG = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = "stack: shop\ncompose_files: [../compose.yaml]\n"


@pytest.fixture
def resolved(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "stackproof.stack.resolved.choose_world", lambda *_: ChosenWorld("private", "")
    )

    def resolve_with(config, compose=COMPOSE, **more):
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "compose.yaml").write_text(compose)
        (tmp_path / "config/shop.yaml").write_text(HEAD + config)
        environment = {"HOME": str(tmp_path), "STACKPROOF_STATE_DIR": str(tmp_path / "state")}
        return resolve(StackRequest(tmp_path, environment, **more))

    return resolve_with


def test_the_example_names_what_stands_for_an_image(resolved):
    (store,) = resolved(CONFIG).plan.services
    assert (store.runtime.image, store.runtime.version) == ("etcd", "3.5")
    assert [(one.target, one.scheme) for one in store.endpoints] == [(2379, "http")]
    image = image_of(store.runtime)
    assert image.sources == "a configured folder, this machine's programs, Debian's packages"
    assert image.image.usual[:2] == ("--data-dir", "/data")
    assert image.program.packages == ("etcd-server",)


def test_a_dockerfile_that_starts_from_the_image_counts(resolved, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/etcd.yaml").write_text("")
    (tmp_path / "store/Dockerfile").write_text(
        "FROM quay.io/coreos/etcd:v3.5.9\nRUN mkdir -p /data\nCOPY etcd.yaml /etc/etcd.yaml\n"
        'ENV ETCD_NAME=one\nCMD ["etcd", "--config-file", "/etc/etcd.yaml"]\n'
    )
    built = COMPOSE.replace("image: quay.io/coreos/etcd:v3.5.9", "build: store")
    plan = resolved(CONFIG, built).plan
    (store,) = plan.services
    assert (store.runtime.image, store.runtime.version) == ("etcd", "3.5")
    assert store.argv == ("etcd", "--config-file", "/etc/etcd.yaml")
    assert store.environment["ETCD_NAME"] == "one"
    assert "/etc/etcd.yaml" in {layer.target for layer in store.world.layers}
    assert "store: not done here from its Dockerfile: `RUN mkdir -p /data`" in plan.notices


def test_what_other_stages_bring_into_the_image_is_refused_with_its_line(resolved, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/Dockerfile").write_text(
        "FROM node:20 AS made\nRUN node make.js\n"
        "FROM quay.io/coreos/etcd:v3.5.9\nCOPY --from=made /x /x\n"
    )
    built = COMPOSE.replace("image: quay.io/coreos/etcd:v3.5.9", "build: store")
    with pytest.raises(ConfigError, match=r"can't build store: .*, line 3: `FROM quay"):
        resolved(CONFIG, built)


def test_with_containers_the_image_itself_runs(resolved):
    (store,) = resolved(CONFIG, engine="compose").plan.services
    assert (store.image, store.runtime) == ("quay.io/coreos/etcd:v3.5.9", None)


def test_without_the_entry_the_image_is_refused(resolved):
    with pytest.raises(ConfigError, match="can't run the image 'quay"):
        resolved("")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("x: {port: 1}", "program"),
        ("x: {program: p}", "port"),
        ("x: {program: p, port: 0}", "0 is no port"),
        ("x: {program: /bin/p, port: 1}", "can't be the name of a program"),
        ("x: {program: p, port: 1, wheel: 'a b'}", "can't be the name of a program"),
        ("x: {program: p, port: 1, debian: [-o]}", "can't be the name of a program"),
        ("x: {program: p, port: 1, folder: /usr/bin}", "no folder below /"),
        ("x: {program: p, port: 1, wheels: a}", "did you mean wheel"),
        ("'x:1': {program: p, port: 1}", "write its name alone"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(resolved, entry, what):
    with pytest.raises(ConfigError) as caught:
        resolved(f"images: {{{entry}}}\n")
    assert what in str(caught.value)
    assert "config/shop.yaml:3: images" in str(caught.value)
