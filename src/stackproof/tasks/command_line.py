"""The program `stackproof`, whose one command prepares a repository: `stackproof init`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.exceptions import Exit

from stackproof.tasks.shell import INTERRUPTED, readable_errors, secure_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit status.

    Args:
        arguments: The command line; None for that of the process.
    """
    options = program_options().parse_args(arguments)
    try:
        with readable_errors():
            secure_streams()
            from stackproof.tasks.init.command import run

            run(options, Path.cwd(), dict(os.environ))
    except Exit as end:
        if end.message:
            print(end.message, file=sys.stderr, flush=True)
        return end.code
    except EOFError:
        return INTERRUPTED
    return 0


def program_options() -> argparse.ArgumentParser:
    """The commands and options of the program."""
    parser = argparse.ArgumentParser(
        prog="stackproof",
        description="A disposable copy of your whole system, and the proof that it works.",
        epilog="All else is done by `invoke` (up, test, down; `invoke --list`) and `nox`.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="prepare a repository that has a Compose file",
        description="Read the Compose file of this folder, say which services run where, and "
        "write what `invoke up` and `nox -s integration` need. Files of yours stay as they are; a "
        "second `init` updates what the first has made and nobody has edited.",
    )
    init.add_argument(
        "--file", "-f", action="append", default=[], metavar="COMPOSE_FILE",
        help="the Compose file of the stack; several are merged. Default: those that "
        "`docker compose` takes",
    )  # fmt: skip
    init.add_argument("--stack", default="", help="name of the stack, and of its config")
    init.add_argument(
        "--without", action="append", default=[], metavar="SERVICE",
        help="a service that the copy leaves out, or several separated by commas",
    )  # fmt: skip
    init.add_argument("--yes", "-y", action="store_true", help="write without asking")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
