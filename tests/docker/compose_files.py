"""Hypothesis strategies for services in the grammar that the reader supports, as YAML text."""

import json

from hypothesis import strategies as st

VALUES = ["1", "1.50", "010", "0x10", "1e3", "true", "no", "~", "text", '"1.0"', '"a b"', "-7",
          "2024-01-02", "$SET", '"${NONE:-d}"', '"${SET:+x}"', '"a$$b"', '"a=b:c"', '""',
          "1_000", "1e-7", "12345678.9"]  # fmt: skip
TEXTS = ["text", '"1"', "$SET", '"${NONE:-d}"', '"a b"', '"x-${SET}"']
DURATIONS = ["1s", "500ms", "1m30s", "1.5h", "0s", '"${WAIT}"']
SIZES = ["64m", '"1048576"', "1.5g", "2GB", "128k", "1gib"]


def one_of(*texts):
    return st.sampled_from(texts)


def listed(entry, least=0, most=3):
    return st.lists(entry, min_size=least, max_size=most).map(lambda many: f"[{', '.join(many)}]")


def mapped(keys, value, most=3):
    entries = st.dictionaries(keys, value, max_size=most)
    return entries.map(
        lambda pairs: "{" + ", ".join(f"{key}: {one}" for key, one in pairs.items()) + "}"
    )


def with_keys(required=None, /, **optional):
    """A flow mapping with all of the required keys and any of the others."""
    fixed = st.fixed_dictionaries(required or {}, optional=optional)
    return fixed.map(lambda pairs: "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items()) + "}")


SHORT_PAIRS = st.builds('"{}={}"'.format, one_of("A", "B", "C"), one_of("1", "x y", "$SET", ""))
PAIRS = mapped(one_of("A", "B", "C"), st.sampled_from(VALUES)) | listed(
    SHORT_PAIRS | one_of("A", "SET", "NONE"), most=3
).filter(lambda text: len(set(text.split(", "))) == len(text.split(", ")))
WORDS = st.lists(
    one_of("a", "b", " ", "  ", "'a b'", '"c d"', "\\'", '\\"', "\\\\", "\\n", '"\\n"', "'\\n'",
           "#", "$$", "$$(a b)", "`a b`", ";", "|", "&", ">", "2>", "\t", "=", "''", '""', "é"),
    max_size=8,
).map("".join)  # fmt: skip
COMMANDS = one_of(
    "null", "[]", '""', "[a, b]", '[sh, -c, "$SET && $$X"]', '"a \'b c\' \\"d\\""'
) | WORDS.map(json.dumps)
PORTS = one_of("80", '"81"', '"1@80:80"', '"127.0.0.1:1@81:81"', '"90-92"', '"1@00-1@02:90-92"',
               '"127.0.0.1::82"', '"1@10-1@19:83"', '"53/udp"', '"1@53:53/udp"', '"1@8${THREE}:84"',
               "{target: 80}", '{target: 85, published: "1@85", protocol: udp}',
               "{target: 86, published: 1@86, host_ip: 127.0.0.1, mode: host}")  # fmt: skip
"""Each @ becomes two digits of its service, so that no two publish the same port."""
MOUNTS = one_of("data:/d", "data:/d:ro", "./x:/d", "../x:/e:ro", "/x:/e", "/d", "~/x:/f", ".:/g/",
                "more:/h:rw", "{type: volume, source: data, target: /d}",
                "{type: bind, source: ./y, target: /e, read_only: true}",
                "{type: tmpfs, target: /t, tmpfs: {size: 1m}}",
                "{type: volume, target: /i}")  # fmt: skip
DEPENDENCIES = listed(one_of("y", "z"), most=2).filter(
    lambda text: text not in {"[y, y]", "[z, z]"}
)
LONG_DEPENDENCY = with_keys(
    {"condition": one_of("service_started", "service_healthy", "service_completed_successfully")},
    required=one_of("true", "false"), restart=one_of("true", "false", "yes"),
)  # fmt: skip
HEALTH = with_keys(
    test=one_of("a", '"a || b"', "[CMD, a, b]", "[CMD-SHELL, a b]", "[NONE]", "NONE"),
    interval=st.sampled_from(DURATIONS), timeout=st.sampled_from(DURATIONS),
    start_period=st.sampled_from(DURATIONS), start_interval=st.sampled_from(DURATIONS),
    retries=one_of("3", '"4"', '"${THREE}"'), disable=one_of("true", "false", '"${YES}"'),
)  # fmt: skip
BUILD = one_of(".", "./x", "../y", "/z") | with_keys(
    context=one_of(".", "./x", "../y", "/z", "x/../y"), dockerfile=one_of("D", "x/D", "../D"),
    target=one_of("t", "$SET"), args=PAIRS, labels=PAIRS, pull=one_of("true"),
)  # fmt: skip
RESTART = with_keys(condition=one_of("none", "on-failure", "any"), max_attempts=one_of("3"))
RESERVED = with_keys(cpus=one_of("0.5", '"0.25"'), memory=one_of("64m"))
DEPLOY = with_keys(
    replicas=one_of("1", "2", '"${THREE}"'),
    restart_policy=RESTART,
    resources=with_keys(reservations=RESERVED),
    labels=PAIRS,
)
NETWORKS = listed(one_of("n", "m", "default"), most=2).filter(
    lambda text: text not in {"[n, n]", "[m, m]", "[default, default]"}
) | mapped(one_of("n", "m", "default"), one_of("", "{}", "{aliases: [q]}", "{aliases: [q, r]}"))
HOSTS = one_of('["a:1.1.1.1"]', '["a=1.1.1.2", "d:3.3.3.3"]') | one_of(
    "{b: 2.2.2.2}", '{b: "::1", c: [4.4.4.4, 5.5.5.5]}'
)

KEYS = {
    "build": BUILD,
    "command": COMMANDS,
    "entrypoint": COMMANDS,
    "environment": PAIRS,
    "env_file": one_of("one.env", "[one.env, two.env]", "[{path: two.env, required: false}]"),
    "labels": PAIRS,
    "ports": listed(PORTS),
    "expose": listed(one_of('"80"', "81", '"90-91"')).filter(lambda t: t.count("80") < 2),
    "volumes": listed(MOUNTS),
    "tmpfs": one_of("/run", "[/run, /tmp]", '["/run:size=1m"]', "[]"),
    "depends_on": DEPENDENCIES | mapped(one_of("y", "z"), LONG_DEPENDENCY, 2),
    "healthcheck": HEALTH,
    "restart": one_of('"no"', "always", "on-failure:3", "on-failure", "unless-stopped"),
    "stop_signal": one_of("SIGINT", '"9"'),
    "stop_grace_period": st.sampled_from(DURATIONS),
    "deploy": DEPLOY,
    "cpus": one_of("0.5", '"1.5"', "2", '"${HALF}"'),
    "mem_limit": st.sampled_from(SIZES),
    "pids_limit": one_of("5", '"6"', "-1"),
    "shm_size": st.sampled_from(SIZES),
    "networks": NETWORKS,
    "extra_hosts": HOSTS,
    "profiles": one_of("[p]", "[p, q]", "[]"),
    "user": st.sampled_from(TEXTS),
    "hostname": st.sampled_from(TEXTS),
    "working_dir": one_of("/w", "./w", "/w/../x/"),
    "init": one_of("true", "false", '"yes"'),
    "read_only": one_of("true", "false"),
    "privileged": one_of("true", "off"),
    "platform": one_of("linux/amd64"),
    "tty": one_of("true"),
    "x-note": one_of("a", "{b: c}"),
}

SERVICES = with_keys({"image": one_of("i", '"img:${SET}"')}, **KEYS)
OTHERWISE = {
    key: one | one_of("!reset null") | one.map("!override {}".format)
    for key, one in KEYS.items()
    if key != "env_file"
}
CHANGES = with_keys({}, **OTHERWISE)


def whole_file(services, *, first):
    """A file with these services, by name (s0, s1, …), beside those that they depend on."""
    lines = [f"  {name}: {text.replace('@', f'{int(name[1:]):02}')}"
             for name, text in services.items()]  # fmt: skip
    if not first:
        return "\n".join(["services:", *lines])
    around = ["  y: {image: i}", "  z: {image: i}", "volumes: {data: , more: }",
              "networks: {n: {internal: true}, m: }"]  # fmt: skip
    return "\n".join(["name: generated", "services:", *lines, *around])
