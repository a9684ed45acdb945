"""Every container port gets a port of this machine, and no two get the same."""

import pytest

from stackproof.errors import ConfigError
from stackproof.plan import make_plan, needed_ports
from stackproof.settings.model import Command, Database, Origin
from stackproof.stack_file.model import Port, Service


def endpoints(planning, *services, name="app", **options):
    plan = planning.plan(*services, **options)
    return {one.target: one.port for one in plan.service(name).endpoints}


def test_ports_come_from_all_places_that_name_one(planning):
    app = planning.native(
        "app", ports=(Port(1001),), expose=(1002,), extension={"ports": [1003]}, command=("a",)
    )
    assert sorted(endpoints(planning, app)) == [1001, 1002, 1003]


def test_a_known_image_has_its_port_without_being_told(planning, postgres):
    assert endpoints(planning, postgres, name="db") == {5432: 15432}


def test_udp_ports_are_left_out(planning):
    assert (
        endpoints(planning, planning.native("app", ports=(Port(53, "53", protocol="udp"),))) == {}
    )


def test_a_published_port_keeps_its_number(planning):
    assert endpoints(planning, planning.native("app", ports=(Port(80, "8080"),))) == {80: 8080}


def test_a_setting_is_stronger_than_the_stack_file(planning):
    planning.configure(ports={"app": 18000})
    assert endpoints(planning, planning.native("app", ports=(Port(80, "8080"),))) == {80: 18000}


def test_a_setting_may_name_the_container_port(planning):
    planning.configure(ports={"app": {81: 18001}})
    app = planning.native("app", ports=(Port(80, "8080"), Port(81, "8081")))
    assert endpoints(planning, app) == {80: 8080, 81: 18001}


def test_a_setting_of_a_variable_finds_its_service(planning):
    """A variable's name can't tell - from _ or ., so the settings hold it in another form."""
    planning.configure(ports={"my-app": 18000})
    app = planning.native("my_app", expose=(80,))
    assert endpoints(planning, app, name="my_app") == {80: 18000}


def test_only_ports_without_a_number_are_needed(planning):
    app = planning.native("app", ports=(Port(80, "8080"),), expose=(81,))
    stack_file = planning.stack_file(app)
    assert needed_ports(planning.settings, stack_file, engine="process") == (("app", 81),)


def test_a_stack_that_shares_no_port_needs_all_of_them(planning):
    app = planning.native("app", ports=(Port(80, "8080"),), expose=(81,))
    needed = needed_ports(
        planning.settings, planning.stack_file(app), engine="process", everything=True
    )
    assert needed == (("app", 80), ("app", 81))


def test_free_ports_win_over_fixed_ones(planning):
    app = planning.native("app", ports=(Port(80, "8080"),))
    assert endpoints(planning, app, ports={("app", 80): 40000}) == {80: 40000}


def test_a_range_is_left_to_chance(planning):
    app = planning.native("app", ports=(Port(80, "8000-8010"),))
    stack_file = planning.stack_file(app)
    assert needed_ports(planning.settings, stack_file, engine="process") == (("app", 80),)


def test_two_services_with_the_same_port_are_refused_with_both_places(planning):
    planning.located("services.app.ports[0]", 4)
    planning.configure(ports={"web": 8080}, origins={("ports", "web"): Origin("shop.yaml", 9)})
    app, web = (planning.native(name, ports=(Port(80, "8080"),)) for name in ("app", "web"))
    with pytest.raises(ConfigError, match="port 8080") as caught:
        planning.plan(app, web)
    assert "compose.yaml:4" in caught.value.observed
    assert "shop.yaml:9" in caught.value.observed


def test_containers_show_published_ports_only(planning):
    app = Service("app", image="x", ports=(Port(80, "8080"), Port(81)), expose=(82,))
    assert endpoints(planning, app, engine="compose") == {80: 8080, 81: 10081}


def test_the_scheme_of_an_endpoint_is_that_of_its_image(planning, postgres, redis):
    api = planning.native("api", expose=(8000, 7777))
    plan = planning.plan(postgres, redis, api)
    found = {one.target: one.scheme for service in plan.services for one in service.endpoints}
    assert found == {5432: "postgresql", 6379: "redis", 8000: "http", 7777: "tcp"}


def test_a_port_for_a_service_that_listens_on_none_is_refused(planning):
    planning.configure(ports={"app": 1}, origins={("ports", "app"): Origin("shop.yaml", 3)})
    with pytest.raises(ConfigError, match="it has no container port") as caught:
        planning.plan(planning.native("app"))
    assert (caught.value.source, caught.value.line) == ("shop.yaml", 3)


def build(planning, dockerfile, name="app", **values):
    from stackproof.stack_file.model import Build

    build = Build(planning.root, dockerfile_inline=dockerfile)
    return Service(name, build=build, **values)


def test_an_exposed_port_counts_for_the_dockerfiles_own_command_only(planning):
    dockerfile = 'FROM python\nEXPOSE 8000\nCMD ["serve"]'
    app = build(planning, dockerfile)
    worker = build(planning, dockerfile, "worker", command=("work",))
    plan = planning.plan(app, worker)
    assert [len(service.endpoints) for service in plan.services] == [1, 0]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("ports", "ap"), {"ports": {"ap": 1}}),
        (("environment", "ap"), {"environment": {"ap": {}}}),
        (("migrate", "service"), {"migrate": (Command("ap", ("x",)),)}),
        (("database", "service"), {"database": Database("ap", "x_e2e")}),
        (("gateway", "service"), {"gateway_service": "ap"}),
    ],
)
def test_a_setting_of_a_service_that_does_not_exist_is_refused(planning, path, values):
    planning.configure(**values, origins={path: Origin("shop.yaml", 7)})
    with pytest.raises(ConfigError, match="no service 'ap'") as caught:
        planning.plan(planning.native("app"))
    assert (caught.value.line, caught.value.remedy) == (7, "did you mean app?")


def test_ports_that_nobody_gave_are_simply_not_there(planning, postgres):
    """A printed plan of a stack that is not up has no ports for what gets a free one."""
    app = planning.native("app", expose=(80,), ports=(Port(90, "90"),))
    plan = make_plan(
        planning.settings, planning.stack_file(app), engine="process", run_folder=planning.root
    )
    assert [one.target for one in plan.services[0].endpoints] == [90]


def test_ports_that_are_decided_later_are_no_conflict(planning, postgres, redis):
    undecided = {("db", 5432): 0, ("cache", 6379): 0}
    plan = planning.plan(postgres, redis, ports=undecided)
    assert [one.endpoints[0].port for one in plan.services] == [0, 0]
