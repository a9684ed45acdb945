"""Which keys a Compose file may have, and of which types their values are.

Source: `compose-spec.json`, the JSON schema that Docker Compose validates with. Where it says
"string or integer" both are read; where it says "string" a bare number is an error in Compose too.
Keys that change nothing here are accepted whatever their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from stackproof.stack_file.fields import Field


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
        ignored="driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips "
        "mac_address priority",
        aliases=_TEXTS,
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
        volume=_mapping(ignored="labels nocopy subpath"),
        tmpfs=_mapping(ignored="mode", size=_NUMBER),
    ),
    "a text",
)  # fmt: skip
_SERVICE = _mapping(
    (),
    "annotations attach blkio_config cap_add cap_drop cgroup cgroup_parent cpu_count cpu_percent "
    "cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpuset credential_spec develop "
    "device_cgroup_rules devices dns dns_opt dns_search domainname gpus group_add "
    "ipc isolation label_file links logging mac_address mem_reservation mem_swappiness "
    "memswap_limit network_mode oom_kill_disable oom_score_adj pid post_start pre_stop provider "
    "pull_policy runtime security_opt stdin_open storage_opt sysctls tty ulimits "
    "userns_mode uts",
    external_links=_TEXTS,
    image=_TEXT,
    build=_BUILD,
    command=_COMMAND,
    entrypoint=_COMMAND,
    environment=_PAIRS,
    env_file=Form(("a text", "a list"), items=_ENV_FILE),
    working_dir=_TEXT,
    user=_TEXT,
    hostname=_TEXT,
    container_name=_TEXT,
    init=_SWITCH,
    read_only=_SWITCH,
    privileged=_SWITCH,
    platform=_TEXT,
    shm_size=_NUMBER,
    depends_on=Form(("a list", "a mapping"), values=_DEPENDENCY, items=_TEXT),
    healthcheck=_HEALTH,
    ports=Form(("a list",), items=_PORT),
    expose=Form(("a list",), items=Form(("a text", "a number"))),
    volumes=Form(("a list",), items=_MOUNT),
    tmpfs=_TEXT_OR_TEXTS,
    profiles=_TEXTS,
    restart=_TEXT,
    scale=_NUMBER,
    stop_signal=_TEXT,
    stop_grace_period=_TEXT,
    deploy=_DEPLOY,
    mem_limit=_NUMBER,
    cpus=_NUMBER,
    pids_limit=_NUMBER,
    networks=Form(("a list", "a mapping"), values=_ATTACHMENT, items=_TEXT),
    extra_hosts=Form(("a mapping", "a list"), values=_TEXT_OR_TEXTS, items=_TEXT),
    labels=_PAIRS,
    extends=_or(_mapping(file=_TEXT, service=_TEXT), "a text"),
)
_EXTERNAL = _or(_mapping(name=_TEXT), "true or false", "a text")
_VOLUME = _or(
    _mapping(
        name=_TEXT, external=_EXTERNAL, labels=_PAIRS, driver=_TEXT,
        driver_opts=Form(("a mapping",), values=_NUMBER),
    ),
    "nothing",
)  # fmt: skip
_NETWORK = _or(
    _mapping(
        ignored="attachable driver_opts enable_ipv4 enable_ipv6 ipam",
        name=_TEXT, external=_EXTERNAL, internal=_SWITCH, driver=_TEXT, labels=_PAIRS,
    ),
    "nothing",
)  # fmt: skip
STACK = _mapping(
    ("services",),
    name=_TEXT,
    version=_TEXT,
    services=Form(("a mapping",), values=_SERVICE),
    volumes=Form(("a mapping", "nothing"), values=_VOLUME),
    networks=Form(("a mapping", "nothing"), values=_NETWORK),
)

SERVICE_KEYS = tuple(_SERVICE.keys)

_ALONE = "`docker compose` alone supports it"
UNSUPPORTED = {
    "secrets": f"use environment, or a bind mount of a file; {_ALONE}",
    "configs": f"use a bind mount of a file; {_ALONE}",
    "include": f"list the files under `compose_files`; {_ALONE}",
    "models": "",
    "volumes_from": f"name the volumes under `volumes`; {_ALONE}",
    "use_api_socket": "",
}
"""Keys of Compose that stackproof does not support, with what to do."""


def ignored_keys(top: Field, form: Form = STACK) -> Iterator[str]:
    """The dotted keys that are accepted and change nothing; everything is checked on the way.

    Args:
        top: A value, merged and interpolated.
        form: What it may be.

    Raises:
        ConfigError: At the first key that is not known, or value of a wrong type.
    """
    if not form.is_read:
        yield top.key
        return
    if form.kinds and not _is_one_of(top.value, form.kinds):
        top.wrong_type(form.kinds)
    if isinstance(top.value, list) and form.items is not None:
        for one in top.sequence():
            yield from ignored_keys(one, form.items)
    elif isinstance(top.value, dict):
        yield from _of_mapping(top, form)


def _of_mapping(top: Field, form: Form) -> Iterator[str]:
    parts = top.mapping()
    if form.values is not None and "" in parts:
        top.fail("a name is empty", remedy="give it a name")
    if form.values is None:
        top.choose(form.keys, UNSUPPORTED)
        for name in form.needs:
            if name not in parts:
                top.fail(f"there is no {name!r}", remedy=f"add {name}:")
    for name, one in parts.items():
        inner = form.values or form.keys.get(name)
        if inner is not None:
            yield from ignored_keys(one, inner)


def _is_one_of(value: object, kinds: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "true or false" in kinds
    if isinstance(value, float) and value - value != 0:  # infinite, or no number
        return False
    return isinstance(value, tuple(one for kind in kinds for one in KINDS[kind]))
