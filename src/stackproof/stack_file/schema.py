"""Which keys a Compose file may have, and of which types their values are.

Source: `compose-spec.json`, the JSON schema that Docker Compose validates with. Where it says
"string or integer" both are read; where it says "string" a bare number is an error in Compose too.
Keys that change nothing here are accepted whatever their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackproof.errors import Mistakes
from stackproof.stack_file.reading.fields import Field


@dataclass(frozen=True)
class Form:
    """The forms that a value may have.

    Attributes:
        kinds: Words of `KINDS`; empty for any value.
        keys: What a mapping with fixed keys holds.
        values: What each value of a mapping with free keys is.
        items: What each item of a list is.
        needs: Keys that must be there.
        is_read: Whether it has an effect; otherwise its key is reported as ignored.
    """

    kinds: tuple[str, ...] = ()
    keys: Mapping[str, Form] = field(default_factory=dict)
    values: Form | None = None
    items: Form | None = None
    needs: tuple[str, ...] = ()
    is_read: bool = True


KINDS: Mapping[str, tuple[type, ...]] = {
    "a text": (str,),
    "a number": (int, float),
    "true or false": (bool,),
    "a list": (list,),
    "a mapping": (dict,),
    "nothing": (type(None),),
}

_TEXT = Form(("a text",))
_NUMBER = Form(("a number", "a text"))
_SWITCH = Form(("true or false", "a text"))
_SCALAR = Form(("a text", "a number", "true or false", "nothing"))
_IGNORED = Form(is_read=False)
_TEXTS = Form(("a list",), items=_TEXT)
_TEXT_OR_TEXTS = Form(("a text", "a list"), items=_TEXT)
_COMMAND = replace(_TEXT_OR_TEXTS, kinds=("nothing", "a text", "a list"))
_PAIRS = Form(("a mapping", "a list"), values=_SCALAR, items=_TEXT)


def _mapping(needs: tuple[str, ...] = (), ignored: str = "", **keys: Form) -> Form:
    return Form(("a mapping",), {**keys, **dict.fromkeys(ignored.split(), _IGNORED)}, needs=needs)


def _or(form: Form, *kinds: str, items: Form | None = None) -> Form:
    return replace(form, kinds=(*form.kinds, *kinds), items=items)


_BUILD = _or(
    _mapping(
        ignored="additional_contexts cache_from cache_to entitlements extra_hosts isolation labels "
        "network no_cache platforms privileged provenance pull sbom secrets shm_size ssh tags "
        "ulimits",
        context=_TEXT, dockerfile=_TEXT, dockerfile_inline=_TEXT, target=_TEXT, args=_PAIRS,
    ),
    "a text",
)  # fmt: skip
_LIMITS = _mapping(cpus=_NUMBER, memory=_TEXT, pids=_NUMBER)
_RESERVATIONS = _mapping(
    ignored="devices generic_resources", cpus=_NUMBER, memory=_TEXT, pids=_NUMBER
)
_RESOURCES = _mapping(limits=_LIMITS, reservations=_RESERVATIONS)
_RESTART = _mapping(ignored="delay window", condition=_TEXT, max_attempts=_NUMBER)
_DEPLOY = _or(
    _mapping(
        ignored="endpoint_mode labels mode placement rollback_config update_config",
        replicas=_NUMBER, resources=_RESOURCES, restart_policy=_RESTART,
    ),
    "nothing",
)  # fmt: skip
_DEPENDENCY = _mapping(("condition",), condition=_TEXT, required=_SWITCH, restart=_SWITCH)
_ENV_FILE = _or(_mapping(("path",), path=_TEXT, required=_SWITCH, format=_TEXT), "a text")
_HEALTH = _mapping(
    test=_TEXT_OR_TEXTS, interval=_TEXT, timeout=_TEXT, start_period=_TEXT, start_interval=_TEXT,
    retries=_NUMBER, disable=_SWITCH,
)  # fmt: skip
_ATTACHMENT = _or(
    _mapping(
        ignored="driver_opts gw_priority interface_name ipv6_address link_local_ips mac_address "
        "priority",
        aliases=_TEXTS,
        ipv4_address=_TEXT,
    ),
    "nothing",
)
_PORT = _or(
    _mapping(
        target=_NUMBER, published=_NUMBER, host_ip=_TEXT, protocol=_TEXT, mode=_TEXT, name=_TEXT,
        app_protocol=_TEXT,
    ),
    "a number", "a text",
)  # fmt: skip
_MOUNT = _or(
    _mapping(
        ("type",), "consistency image",
        type=_TEXT, source=_TEXT, target=_TEXT, read_only=_SWITCH,
        bind=_mapping(ignored="propagation recursive selinux", create_host_path=_SWITCH),
        volume=_mapping(ignored="labels subpath", nocopy=_SWITCH),
        tmpfs=_mapping(ignored="mode", size=_NUMBER),
    ),
    "a text",
)  # fmt: skip
_GRANT = _or(_mapping(ignored="uid gid mode", source=_TEXT, target=_TEXT), "a text")
_WATCH_EXEC = _mapping(
    ("command",), command=_COMMAND, user=_TEXT, privileged=_SWITCH, working_dir=_TEXT,
    environment=_PAIRS,
)  # fmt: skip
_WATCH = _mapping(
    ("action", "path"), "initial_sync", action=_TEXT, path=_TEXT, target=_TEXT,
    ignore=_TEXT_OR_TEXTS, include=_TEXT_OR_TEXTS, exec=_WATCH_EXEC,
)  # fmt: skip
_DEVELOP = _or(_mapping(watch=Form(("a list",), items=_WATCH)), "nothing")
_ULIMIT = _or(_mapping(soft=_NUMBER, hard=_NUMBER), "a number", "a text")
_SERVICE = _mapping(
    (),
    "annotations attach blkio_config cgroup cgroup_parent cpu_count cpu_percent "
    "cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpuset credential_spec "
    "device_cgroup_rules devices dns dns_opt dns_search domainname gpus group_add "
    "ipc isolation label_file links logging mac_address mem_reservation mem_swappiness "
    "memswap_limit network_mode oom_kill_disable oom_score_adj pid "
    "pull_policy runtime security_opt stdin_open storage_opt tty userns_mode uts",
    **dict.fromkeys(
        ("image", "working_dir", "user", "hostname", "container_name", "platform", "restart",
         "stop_signal", "stop_grace_period"), _TEXT,
    ),
    **dict.fromkeys(("init", "read_only", "privileged"), _SWITCH),
    **dict.fromkeys(("shm_size", "scale", "mem_limit", "cpus", "pids_limit"), _NUMBER),
    **dict.fromkeys(("command", "entrypoint"), _COMMAND),
    **dict.fromkeys(("environment", "labels", "sysctls"), _PAIRS),
    **dict.fromkeys(("cap_add", "cap_drop"), _TEXTS),
    ulimits=Form(("a mapping",), values=_ULIMIT),
    **dict.fromkeys(("external_links", "profiles", "volumes_from"), _TEXTS),
    build=_BUILD,
    env_file=Form(("a text", "a list"), items=_ENV_FILE),
    depends_on=Form(("a list", "a mapping"), values=_DEPENDENCY, items=_TEXT),
    healthcheck=_HEALTH,
    ports=Form(("a list",), items=_PORT),
    expose=Form(("a list",), items=Form(("a text", "a number"))),
    volumes=Form(("a list",), items=_MOUNT),
    secrets=Form(("a list",), items=_GRANT),
    configs=Form(("a list",), items=_GRANT),
    tmpfs=_TEXT_OR_TEXTS,
    deploy=_DEPLOY,
    develop=_DEVELOP,
    networks=Form(("a list", "a mapping"), values=_ATTACHMENT, items=_TEXT),
    extra_hosts=Form(("a mapping", "a list"), values=_TEXT_OR_TEXTS, items=_TEXT),
    extends=_or(_mapping(file=_TEXT, service=_TEXT), "a text"),
)  # fmt: skip
_EXTERNAL = _or(_mapping(name=_TEXT), "true or false", "a text")
_VOLUME = _or(
    _mapping(
        name=_TEXT, external=_EXTERNAL, labels=_PAIRS, driver=_TEXT,
        driver_opts=Form(("a mapping",), values=_NUMBER),
    ),
    "nothing",
)  # fmt: skip
_SUBNET = _mapping(ignored="aux_addresses", subnet=_TEXT, ip_range=_TEXT, gateway=_TEXT)
_IPAM = _mapping(ignored="driver options", config=Form(("a list",), items=_SUBNET))
_NETWORK = _or(
    _mapping(
        ignored="attachable driver_opts enable_ipv4 enable_ipv6",
        name=_TEXT, external=_EXTERNAL, internal=_SWITCH, driver=_TEXT, labels=_PAIRS, ipam=_IPAM,
    ),
    "nothing",
)  # fmt: skip
_GRANTED = _mapping(
    ignored="driver driver_opts labels template_driver",
    name=_TEXT, file=_TEXT, environment=_TEXT, content=_TEXT, external=_EXTERNAL,
)  # fmt: skip
STACK = _mapping(
    ("services",),
    name=_TEXT,
    version=_TEXT,
    services=Form(("a mapping",), values=_SERVICE),
    volumes=Form(("a mapping", "nothing"), values=_VOLUME),
    networks=Form(("a mapping", "nothing"), values=_NETWORK),
    secrets=Form(("a mapping", "nothing"), values=_GRANTED),
    configs=Form(("a mapping", "nothing"), values=_GRANTED),
)

SERVICE_KEYS = tuple(_SERVICE.keys)

_LEAVE = "`services: {exclude: [NAME]}` in the stack config leaves the service out"
_HOOK = (
    "make it a service of its own that others wait for (`depends_on`, with `condition: "
    "service_completed_successfully`)"
)
UNSUPPORTED = {
    "models": (
        "`models` are run by Docker Model Runner, which stackproof does not start",
        "remove it in a file that is merged later (models: !reset null), and let a gateway answer",
    ),
    "use_api_socket": (
        "`use_api_socket` hands the service this machine's Docker Engine",
        f"remove it; {_LEAVE}",
    ),
    "provider": (
        "`provider` lets another program make the service, which stackproof does not run",
        f"give it an image; {_LEAVE}",
    ),
    "pre_start": (
        "`pre_start` is a command before the start, which stackproof does not run",
        _HOOK,
    ),
    "post_start": (
        "`post_start` is a command after the start, which stackproof does not run",
        _HOOK,
    ),
    "pre_stop": (
        "`pre_stop` is a command before the end, which stackproof does not run",
        "do it in the program, at its stop signal",
    ),
}  # fmt: skip
"""Keys of Compose that stackproof does not support: what they are, and what to do."""


def ignored_keys(top: Field, form: Form = STACK) -> list[str]:
    """The dotted keys that are accepted and change nothing; everything is checked on the way.

    Args:
        top: A value, merged and interpolated.
        form: What it may be.

    Raises:
        ConfigError: For keys that are not known, and values of a wrong type, all together.
    """
    if not form.is_read:
        return [top.key]
    if form.kinds and not _is_one_of(top.value, form.kinds):
        top.wrong_type(form.kinds)
    if isinstance(top.value, dict):
        return _of_mapping(top, form)
    if isinstance(top.value, list) and form.items is not None:
        return _of_all([(item, form.items) for item in top.sequence()], Mistakes())
    return []


def _of_all(parts: Sequence[tuple[Field, Form]], mistakes: Mistakes) -> list[str]:
    found: list[str] = []
    for part, form in parts:
        with mistakes.noted():
            found += ignored_keys(part, form)
    mistakes.refuse()
    return found


def _of_mapping(top: Field, form: Form) -> list[str]:
    parts, mistakes = top.mapping(), Mistakes()
    if form.values is not None:
        if "" in parts:
            top.fail("a name is empty", remedy="give it a name")
        return _of_all([(part, form.values) for part in parts.values()], mistakes)
    for name, part in parts.items():
        if name in UNSUPPORTED and name not in form.keys:
            what, remedy = UNSUPPORTED[name]
            mistakes.found.append(part.error(what, remedy=remedy))
    with mistakes.noted():
        top.refuse_unknown(form.keys, UNSUPPORTED)
        top.require(form.needs)
    return _of_all([(part, form.keys[name]) for name, part in parts.items() if name in form.keys],
                   mistakes)  # fmt: skip


def _is_one_of(value: object, kinds: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "true or false" in kinds
    if isinstance(value, float) and value - value != 0:  # infinite, or no number
        return False
    return isinstance(value, tuple(python for kind in kinds for python in KINDS[kind]))
