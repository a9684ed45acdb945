"""Tells a program its port where neither its command nor its environment names one to translate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stackproof.plan.model import Translation

PORT_VARIABLES: Mapping[str, str] = {
    "flask": "FLASK_RUN_PORT",
    "flower": "FLOWER_PORT",
    "hypercorn": "PORT",
    "streamlit": "STREAMLIT_SERVER_PORT",
    "uvicorn": "UVICORN_PORT",
}
"""Programs that read their port from a variable of their own; many others read PORT."""

_TELLS_PORT = re.compile(r"PORT|BIND|LISTEN|ADDR|ARGS|OPTS|OPTIONS|FLAGS|CMD", re.IGNORECASE)


def tell_port(
    service: str,
    argv: Sequence[str],
    environment: dict[str, str],
    ports: Mapping[int, int],
    translations: Sequence[Translation],
) -> tuple[list[Translation], list[str]]:
    """Set PORT, and the program's own variable, where the port of a service was named nowhere.

    Args:
        service: Name of the service.
        argv: Its command.
        environment: Its environment; variables are added.
        ports: Its container ports with the ports that they have here.
        translations: What was translated for it.

    Returns:
        What was added, and the sentence that says so.
    """
    target, port = next(iter(ports.items()), (0, 0))
    if target == port or any(_names_port(translation) for translation in translations):
        return [], []
    words = set(re.findall(r"[\w.-]+", " ".join(argv)))
    wanted = ["PORT", *(name for program, name in PORT_VARIABLES.items() if program in words)]
    added = [name for name in dict.fromkeys(wanted) if name not in environment]
    if not added:
        return [], []
    for name in added:
        environment[name] = str(port)
    shown = str(port or "a free port")
    notice = (
        f"{service}: nothing in its command or environment names its port {target}, so "
        f"{' and '.join(added)} was set to {shown}; if it listens on {target} all the same, name "
        f"the port in its command, or write `ports: {{{service}: {target}}}` in the stack config"
    )
    changes = [Translation(service, f"environment {name}", "", shown, "own port") for name in added]
    return changes, [notice]


def _names_port(translation: Translation) -> bool:
    """Whether it is where a program is told its port, not an address that it hands to others."""
    kind, _, name = translation.place.partition(" ")
    is_told = kind.startswith("command") or _TELLS_PORT.search(name) is not None
    return is_told and "own port" in translation.rule
