"""Where the data of a stack go in the images of its snapshot, and how a copy gets them."""

from pathlib import Path

import pytest

from stackproof.engines.compose.snapshot_keeper import ComposeSnapshots
from stackproof.engines.compose.snapshot_places import (
    Found,
    Place,
    model_from_snapshot,
    places_of,
)
from stackproof.plan.model import ServicePlan
from stackproof.stack_file.model import Mount, NamedVolume, Service, StackFile

DATA_FOLDER = "/var/lib/postgresql/data"
LABELS = {"dev.stackproof.run": "3f2a"}


def volume(name, target):
    return {"Type": "volume", "Name": name, "Destination": target, "RW": True}


def bind(target, *, writable=True):
    return {"Type": "bind", "Destination": target, "RW": writable}


def found(name, *mounts, image="thing:1", data=(), declared=(), argv=(), **environment):
    plan = ServicePlan(name, (), {}, image=image, data=tuple(data))
    return Found(plan, mounts, environment, argv, frozenset(declared))


def server(*mounts, **more):
    values = {"PGDATA": "/var/lib/postgresql/data", **more}
    return found(
        "db", *mounts, image="postgres:16", declared=["/var/lib/postgresql/data"], **values
    )


def places(*containers, own=lambda _: True):
    return places_of(containers, "shop", own)


DATA = volume("shop_data", "/var/lib/postgresql/data")


def test_postgresql_goes_to_data_that_lie_elsewhere_in_its_image():
    (place,), _ = places(server(DATA))
    assert (place.kind, place.value) == ("setting", "/.stackproof/0/data")


def test_a_data_folder_below_the_volume_stays_below_it():
    (place,), _ = places(server(DATA, PGDATA="/var/lib/postgresql/data/main"))
    assert (place.inside, place.value) == ("/.stackproof/0/data", "/.stackproof/0/data/main")


@pytest.mark.parametrize(
    "more",
    [
        {"argv": ["postgres", "-c", "data_directory=/elsewhere"]},
        {"PGDATA": "/srv/elsewhere"},
        {"PGDATA": ""},
    ],
)
def test_postgresql_whose_folder_is_named_in_another_way_keeps_its_volume(more):
    (place,), _ = places(server(DATA, **more))
    assert place.kind == "volume"


def test_a_volume_where_the_image_declares_none_becomes_a_part_of_the_layer():
    (place,), _ = places(found("thing", volume("shop_own", "/srv/thing")))
    assert place == Place("thing", "layer", "/srv/thing", "/srv/thing")


@pytest.mark.parametrize("declared", ["/srv/thing", "/srv"])
def test_a_volume_that_the_image_declares_stays_one(declared):
    (place,), _ = places(found("thing", volume("shop_own", "/srv/thing"), declared=[declared]))
    assert (place.kind, place.volume, place.inside) == ("volume", "own", "/.stackproof/0/thing")


def test_a_nameless_volume_gets_a_name_of_the_project():
    (place,), _ = places(found("cache", volume("9f" * 32, "/data"), declared=["/data"]))
    assert (place.kind, place.volume) == ("volume", "stackproof-0")


def test_a_volume_that_services_share_stays_one_and_is_filled_once():
    shared = [found(name, volume("shop_all", f"/{name}/all")) for name in ("one", "two")]
    (place,), _ = places(*shared)
    assert (place.service, place.kind, place.target) == ("one", "volume", "/one/all")


def test_declared_data_are_a_part_of_the_layer_unless_they_are_in_a_mount():
    thing = found("thing", volume("shop_own", "/srv/own"), data=["/srv/state", "/srv/own/more"])
    made, _ = places(thing)
    assert [one.target for one in made] == ["/srv/own", "/srv/state"]


def test_what_belongs_to_the_user_stays_out_and_is_named():
    theirs = volume("theirs", "/srv/theirs")
    made, left_out = places(
        found("thing", theirs, bind("/srv/folder"), bind("/app", writable=False)),
        own=lambda mount: mount.get("Name") != "theirs",
    )
    assert made == []
    assert [line.split(",")[0] for line in left_out] == ["thing: /srv/theirs", "thing: /srv/folder"]


def model(**services):
    volumes = {
        mount["source"]: {"name": f"shop-1_{mount['source']}"}
        for service in services.values()
        for mount in service["volumes"]
    }
    return {"name": "shop-1", "services": services, "networks": {}, "volumes": volumes}


def service(*targets, **more):
    mounts = [{"type": "volume", "source": name, "target": path} for name, path in targets]
    return {"image": "thing:1", "build": {}, "environment": {}, "volumes": mounts, **more}


def copy(before, *places, images):
    return model_from_snapshot(before, places, images, LABELS)


def test_a_copy_runs_the_images_of_the_snapshot_and_builds_none():
    made = copy(model(thing=service(), web=service()), images={"thing": "snapshot:1"})["services"]
    assert made["thing"]["image"] == "snapshot:1"
    assert "build" not in made["thing"]
    assert made["web"]["image"] == "thing:1"


def test_what_lies_in_the_layer_is_not_mounted_and_its_volume_is_not_made():
    place = Place("thing", "layer", "/srv/thing", "/srv/thing")
    made = copy(model(thing=service(("own", "/srv/thing"))), place, images={})
    assert made["services"]["thing"]["volumes"] == []
    assert made["volumes"] == {}


def test_a_copy_of_postgresql_is_told_where_its_data_are():
    place = Place("db", "setting", "/data", "/.stackproof/0/data", value="/.stackproof/0/data/main")
    made = copy(model(db=service(("own", "/data"))), place, images={})
    assert made["services"]["db"]["environment"] == {"PGDATA": "/.stackproof/0/data/main"}
    assert made["services"]["db"]["volumes"] == []


def test_a_volume_is_filled_from_the_snapshot_and_from_no_other_image():
    place = Place("one", "volume", "/one", "/.stackproof/0/one", volume="all")
    made = copy(model(one=service(("all", "/one")), two=service(("all", "/two"))), place, images={})
    mounts = {
        (name, mount["target"]): mount["volume"].get("nocopy", False)
        for name, one in made["services"].items()
        for mount in one["volumes"]
    }
    assert mounts == {
        ("one", "/one"): True,
        ("one", "/.stackproof/0/one"): False,
        ("two", "/two"): True,
    }


def test_a_nameless_volume_of_a_copy_has_its_projects_name_and_labels():
    place = Place("cache", "volume", "/data", "/.stackproof/0/data", volume="stackproof-0")
    made = copy(model(cache=service()), place, images={})
    assert made["volumes"] == {"stackproof-0": {"name": "shop-1_stackproof-0", "labels": LABELS}}


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"mounts": (Mount("volume", DATA_FOLDER, "own"),)}, []),
        ({}, []),
        ({"mounts": (Mount("bind", DATA_FOLDER, "/home/me/data"),)}, []),  # the run's stands for it
        ({"mounts": (Mount("volume", DATA_FOLDER, "theirs"),)}, []),
        ({"tmpfs": (f"{DATA_FOLDER}:size=1g",)}, ["db has its data in memory (tmpfs)"]),
        ({"mounts": (Mount("bind", "/docker-entrypoint-initdb.d", "/home/me/init"),)}, []),
    ],
)
def test_a_database_whose_data_are_not_the_copys_is_named(service, said):
    volumes = {"own": NamedVolume(), "theirs": NamedVolume(external=True)}
    written = Service("db", image="postgres:16", **service)
    stack_file = StackFile((), Path("/"), {"db": written}, volumes=volumes)
    assert ComposeSnapshots({}).foreign_data(stack_file, ["db"]) == said
