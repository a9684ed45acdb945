"""Other tools that answer model calls, each in an environment of its own, which is made once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import Served, compare, served

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".artifacts" / "bench"
LOCK = ROOT / "requirements" / "bench-litellm.txt"
AIMOCK = "@copilotkit/aimock@1.43.0"
REPLY = "echo: one two three four five six seven eight nine"

LITELLM_CONFIG = f"""
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_key: x, mock_response: "{REPLY}"}}
litellm_settings: {{telemetry: false}}
"""
LITELLM_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
FIXTURES = {"fixtures": [{"match": {"userMessage": "one"}, "response": {"content": REPLY}}]}


def litellm(ours: Served) -> None:
    """Against LiteLLM's proxy, one worker, with a mock reply."""
    home = PLACE / "litellm"
    if not (home / "done").exists():
        print("installing LiteLLM's proxy, once", flush=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, home], check=True)
        python = home / "bin" / "python"
        install = [*uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", LOCK]
        subprocess.run(install, check=True)
        (home / "done").touch()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(LITELLM_CONFIG)
        program = str(home / "bin" / "litellm")
        command = [program, "--config", str(config), "--port", "PORT", "--num_workers", "1"]
        with served(command, environment={**os.environ, **LITELLM_ENVIRONMENT}) as other:
            _compare("litellm", ours, other, "LiteLLM 1.106.2 proxy, mock reply", share=1.0)


def aimock(ours: Served) -> None:
    """Against aimock, where there is npm."""
    npm = shutil.which("npm")
    if npm is None:
        print("aimock: there is no npm here, so it is not measured", flush=True)
        return
    home = PLACE / "aimock"
    program = home / "node_modules" / ".bin" / "llmock"
    if not program.exists():
        print("installing aimock, once", flush=True)
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--prefix", home, AIMOCK], check=True)
    with tempfile.TemporaryDirectory() as folder:
        fixtures = Path(folder, "fixtures.json")
        fixtures.write_text(json.dumps(FIXTURES))
        command = [str(program), "-p", "PORT", "-f", str(fixtures), "-c", "5"]
        with served([*command, "--log-level", "silent"]) as other:
            other_is = f"aimock {AIMOCK.rpartition('@')[2]}, on Node"
            _compare("aimock", ours, other, other_is, share=None)


def _compare(name: str, ours: Served, other: Served, other_is: str, *, share: float | None) -> None:
    names = {"plain": f"gateway-{name}-plain", "stream": f"gateway-{name}-stream"}
    compare(names, ours, other, other_is, share=share)
