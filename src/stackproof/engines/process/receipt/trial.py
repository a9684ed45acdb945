"""A receipt without a stack: of one service that does nothing, started for it and removed again."""

from __future__ import annotations

from stackproof.engines.process.control import Control
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.spec import InterfaceSpec, RoomSpec
from stackproof.engines.receipt import Receipt
from stackproof.plan.world.model import WorldName
from stackproof.reaper.run_folder import RunFolder

NAME = "trial"
SECONDS = 60.0
PLACE = InterfaceSpec("default", "172.18.0.2", 16, "172.18.0.1", (NAME,))
PROGRAM = ("/bin/sleep", "infinity")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/root"}


def take_alone(run: RunFolder, world: WorldName, *, hermetic: bool, home: str) -> Receipt:
    """Start the service in a run that has just been opened, and take the receipt.

    Args:
        run: The run; the caller ends it.
        world: What the service is to see.
        hermetic: Whether the service reaches nothing outside the stack.
        home: The owner's home.

    Raises:
        StartFailed: If the service can't be started.
    """
    room = RoomSpec(NAME, str(run.path / NAME), (PLACE,)) if world == "private" else None
    control = Control(run)
    control.wait_for_supervisor()
    control.configure((), hermetic=hermetic)
    control.start([ServiceSpec(NAME, PROGRAM, ENVIRONMENT, "/", room=room)])
    control.wait_ready(SECONDS, lambda _: None)
    return control.receipt(world, home)
