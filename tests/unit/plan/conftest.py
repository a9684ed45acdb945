"""Stack files and settings as plain data, and the plans that come of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from stackproof.plan import make_plan
from stackproof.settings import Settings
from stackproof.stack_file.model import Build, Service, StackFile
from stackproof.stack_file.reading.nodes import Location

RUN_FOLDER = Path("/run/shop-e2e")


class Planning:
    """Makes plans of services; host ports are the container ports plus 10000 and counted up."""

    def __init__(self, root):
        self.root = root
        self.settings = Settings(
            root=root,
            stack="shop",
            config_file=root / "config" / "shop.yaml",
            compose_files=(root / "compose.yaml",),
            project="shop-e2e",
            engine="process",
            cache=root / "cache",
            artifacts=root / ".artifacts",
        )
        self.locations = {}
        (root / "requirements.txt").write_text("")
        self.networks = {}
        self.ignored = ()

    def configure(self, **values):
        self.settings = replace(self.settings, **values)

    def located(self, key, line):
        self.locations[key] = Location(self.root / "compose.yaml", line)

    def stack_file(self, *services):
        return StackFile(
            sources=(self.root / "compose.yaml",),
            project_directory=self.root,
            services={service.name: service for service in services},
            networks=self.networks,
            locations=self.locations,
            ignored=self.ignored,
        )

    def plan(self, *services, engine="process", ports=None, world="host"):
        return make_plan(
            self.settings,
            self.stack_file(*services),
            engine=engine,
            run_folder=RUN_FOLDER,
            ports=ports or self.free_ports(*services, engine=engine),
            world=world,
        )

    def built(self, dockerfile, *, name="app", files=("requirements.txt",), **values):
        """A service that is built from a Dockerfile in a folder of its own."""
        context = self.root / name
        for file in files:
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            (context / file).write_text("")
        return Service(name, build=Build(context, dockerfile_inline=dockerfile), **values)

    def private(self, service, *others):
        """What a service gets in a private world, beside others."""
        return self.plan(service, *others, world="private").service(service.name)

    def free_ports(self, *services, engine="process"):
        from stackproof.plan import needed_ports

        needed = needed_ports(self.settings, self.stack_file(*services), engine=engine)
        taken = set()
        ports = {}
        for service, target in needed:
            port = target + 10000
            while port in taken:
                port += 1
            taken.add(port)
            ports[service, target] = port
        return ports

    def native(self, name, **values):
        """A service that runs a command of its own on the process engine."""
        values.setdefault("command", ("serve",))
        extension = {"project": ".", **values.pop("extension", {})}
        return Service(name=name, extension=extension, **values)

    def environment(self, environment, *others, **values):
        """What the environment of a service `app` becomes beside others."""
        plan = self.plan(self.native("app", environment=environment, **values), *others)
        return dict(plan.service("app").environment)

    def command(self, command, *others, **values):
        """What the command of a service `app` becomes beside others."""
        return self.plan(self.native("app", command=command, **values), *others).service("app").argv


@pytest.fixture
def planning(tmp_path):
    return Planning(tmp_path)


@pytest.fixture
def postgres():
    return Service(name="db", image="postgres:16")


@pytest.fixture
def redis():
    return Service(name="cache", image="redis:7")
