"""The sessions of this repository; `nox --list` shows them."""

from pathlib import Path

import nox

from stackproof.sessions import Project, define_sessions

nox.needs_version = ">=2024.10.9"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

define_sessions(
    Project(
        root=Path(__file__).parent,
        lock="requirements/dev.txt",
        packages=("--no-deps", "--no-build-isolation", "-e", "."),
        sources=(".", "dev"),
        bench=("python", "-m", "benchmarks"),
    )
)
