"""No step of reading and planning a stack grows faster than the stack.

What a function does is counted in instructions of Python, apart for each function, so that a loop
over all services inside a loop over all services shows however short it is.
"""

import pytest
from tests.planner_work import steps_of
from tests.thoroughness import OTHER_PYTHON

from stackproof.errors import ConfigError
from stackproof.plan import make_plan
from stackproof.plan.explain import explain_plan
from stackproof.plan.planner import needed_ports
from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.settings import load_settings
from stackproof.stack_file import load_stack_file

COUNT = 20 if OTHER_PYTHON else 40
GROWTH = 2.6
FEWEST = 1500
"""Steps of a function that are worth a look."""


def services(count, line):
    return {"compose.yaml": "services:\n" + "\n".join(line(n) for n in range(count))}


def alone(count):
    return services(count, lambda n: f"  s{n}: {{image: redis, ports: ['{n + 20000}:6379']}}")


def in_a_chain(count):
    return services(
        count, lambda n: f"  s{n}: {{image: redis, depends_on: [{f's{n - 1}' if n else ''}]}}"
    )


def around_one(count):
    return services(count, lambda n: f"  s{n}: {{image: redis, depends_on: [{'s0' if n else ''}]}}")


def in_a_chain_of_extends(count):
    return services(
        count, lambda n: f"  s{n}: {{extends: s{n - 1}}}" if n else "  s0: {image: redis}"
    )


def that_name_each_other(count):
    return services(
        count,
        lambda n: (
            f"  s{n}: {{image: redis, environment: {{PEER: 'redis://s{n - 1}:6379/0', "
            f"S{n - 1}_HOST: s{n - 1}, S{n - 1}_PORT: '6379'}}}}"
        ),
    )


def with_profiles(count):
    return services(count, lambda n: f"  s{n}: {{image: redis, profiles: [p{n}, all]}}") | {
        "settings": "profiles: [" + ", ".join(f"p{n}" for n in range(count)) + "]\n"
    }


def with_settings(count):
    names = [f"s{n}" for n in range(count)]
    return alone(count) | {
        "settings": "ports: {" + ", ".join(f"{name}: {n + 30000}" for n, name in enumerate(names))
        + "}\nenvironment: {" + ", ".join(f"{name}: {{A: b}}" for name in names)
        + "}\nlimits: {services: {" + ", ".join(f"{name}: {{cpus: 1}}" for name in names) + "}}\n"
    }  # fmt: skip


def one_with(count, key, entry):
    entries = ", ".join(entry(n) for n in range(count))
    return {"compose.yaml": f"services:\n  a: {{image: redis, {key}: [{entries}]}}\n"}


def ports(count):
    return one_with(count, "ports", lambda n: f"'{n + 20000}:{n + 1000}'")


def mounts(count):
    return one_with(count, "volumes", lambda n: f"./f{n}:/f{n}")


def variables(count):
    return one_with(count, "environment", lambda n: f"'V{n}_HOST=a'")


def hosts(count):
    return one_with(count, "extra_hosts", lambda n: f"'h{n}=10.0.0.1'")


def env_file(count):
    lines = "\n".join(f"V{n}=${{V{n - 1}:-x}}" for n in range(count))
    return {"compose.yaml": "services: {a: {image: redis, env_file: own.env}}", "own.env": lines}


def quoted_lines(count):
    text = 'V="' + "\n".join("line" for _ in range(count)) + '"\n'
    return {"compose.yaml": "services: {a: {image: redis, env_file: own.env}}", "own.env": text}


def integration_variables(count):
    return alone(3) | {".env.integration": "\n".join(f"V{n}=x" for n in range(count))}


def integration_ports(count):
    return alone(count) | {
        ".env.integration": "\n".join(f"STACKPROOF_PORT_S{n}={n + 30000}" for n in range(count))
    }


def long_words(count):
    return {"compose.yaml": f"services: {{a: {{image: redis, command: {'x ab' * count}}}}}"}


def aliases(count):
    anchors = "x-a: &a {A: b}\n"
    return services(count, lambda n: f"  s{n}: {{image: redis, environment: *a}}") | {
        "compose.yaml": anchors
        + services(count, lambda n: f"  s{n}: {{image: redis, environment: *a}}")["compose.yaml"]
    }


def continued_lines(count):
    lines = "RUN a \\\n" * count + "  b"
    return {
        "compose.yaml": "services: {a: {build: .}}",
        "Dockerfile": f"FROM python\n{lines}\nCMD [x]\n",
    }


def command(count):
    return one_with(count, "command", lambda n: f"'--x{n}'")


def dockerfile(count):
    lines = "\n".join(f"ENV V{n}=$V{n - 1}\nCOPY f{n} /f{n}\nEXPOSE {n + 1}" for n in range(count))
    return {
        "compose.yaml": "services: {a: {build: .}}",
        "Dockerfile": f"FROM python\n{lines}\nCMD [x]\n",
    }


SHAPES = [
    alone, in_a_chain, around_one, in_a_chain_of_extends, that_name_each_other, with_profiles,
    with_settings, ports, mounts, variables, hosts, env_file, quoted_lines, integration_variables,
    integration_ports, long_words, aliases, command, dockerfile, continued_lines,
]  # fmt: skip


@pytest.fixture
def project(tmp_path):
    def make(name, files):
        root = tmp_path / name
        (root / "config").mkdir(parents=True)
        config = "stack: shop\ncompose_files: [../compose.yaml]\n" + files.get("settings", "")
        (root / "config" / "shop.yaml").write_text(config)
        for file, text in files.items():
            if file != "settings":
                (root / file).write_text(text)
        return root

    return make


def plan(root, engine):
    settings = load_settings(root, stack=None, environment={})
    stack_file = load_stack_file(settings.compose_files, settings.variables)
    free = {
        key: 40000 + number
        for number, key in enumerate(needed_ports(settings, stack_file, engine=engine))
    }
    made = make_plan(settings, stack_file, engine=engine, run_folder=root / "run", ports=free)
    return explain_plan(made)


CASES = [(shape, "process") for shape in SHAPES]
CASES += [(shape, "compose") for shape in (alone, around_one, that_name_each_other, with_settings)]


@pytest.mark.parametrize(("shape", "engine"), CASES)
def test_twice_as_much_in_a_stack_is_about_twice_as_much_work(project, shape, engine):
    plan(project("warm", shape(2)), engine)
    small, large = (
        steps_of(lambda count=count: plan(project(str(count), shape(count)), engine))
        for count in (COUNT, 2 * COUNT)
    )
    slow = {
        name: (small[name], steps)
        for name, steps in large.items()
        if steps > FEWEST and steps > GROWTH * small[name]
    }
    assert not slow


def test_a_loop_in_a_loop_is_seen(tmp_path):
    def find_lines(count):
        path = tmp_path / f"{count}.yaml"
        path.write_text(
            "services: {" + ", ".join(f"s{n}: {{image: i}}" for n in range(count)) + "}"
        )
        stack_file = load_stack_file([path], {})
        return [stack_file.sources[0] for _ in stack_file.services for _ in stack_file.services]

    found = steps_of(lambda: find_lines(20), source=__file__)
    assert max(found.values()) > 20 * 20


def test_a_dockerfile_whose_variables_double_is_an_error(tmp_path):
    lines = [f"ENV A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 60)]
    with pytest.raises(ConfigError, match="expand to more than"):
        read_dockerfile("\n".join(["FROM x", "ENV A0=xxxxxxxx", *lines]))
