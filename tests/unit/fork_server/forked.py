"""Programs begun by a fork server in rooms; see `tests/unit/world/supervised.py`.

Started with `python -c TEXT FOLDER`, by root or by an ordinary user; answers in JSON.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

from supervised import MountSpec, enter_namespaces, make_room  # left out in a text

from stackproof.engines.process.fork_server import asking
from stackproof.engines.process.fork_server.asking import ColdError, fork_by, tell_failure
from stackproof.engines.process.fork_server.order import Order

USUAL = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

SEEN = """
import sys
ahead = "xml.dom.minidom" in sys.modules
import json, os, random, tempfile
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def texts(name): return open(f"/proc/self/{name}").read().rstrip("\\0").split("\\0")
import xml.dom.minidom
if ahead: import colorsys
print(json.dumps({
    "pid": os.getpid(), "session": os.getsid(0), "argv": sys.argv, "path": sys.path[0],
    "environment": dict(os.environ), "cmdline": texts("cmdline"), "environ": texts("environ"),
    "handles": sorted(os.listdir("/proc/self/fd"))[:3], "name": status["Name"].strip(),
    "capabilities": status["CapEff"].strip(), "host": os.uname().nodename, "cwd": os.getcwd(),
    "own": [name for name in sys.modules if name.startswith("stackproof")], "ahead": ahead,
    "main": [__name__, __file__], "ids": [os.getuid(), os.getgid()], "tmp": tempfile.gettempdir(),
    "random": random.random(), "finders": [type(one).__name__ for one in sys.meta_path],
    "handlers": [str(__import__("signal").getsignal(n)) for n in (2, 13, 15)],
}))
"""

PROGRAMS = {
    "seen": SEEN,
    "chance": "import multiprocessing, random, ssl, tempfile\n"
    "print(random.random(), ssl.RAND_bytes(8).hex(), multiprocessing.current_process().authkey.hex(),"
    " next(tempfile._get_candidate_names()), hash('x'))",
    "numbers": "import logging, multiprocessing, os, threading, time\n"
    "print(os.getpid(), threading.main_thread().native_id, multiprocessing.current_process().pid,"
    " threading.current_thread() is threading.main_thread(), threading.active_count(),"
    " logging.LogRecord('', 0, '', 0, '', (), None).process, time.process_time() < 60)",
    "status": "import sys; sys.exit(7)",
    "words": "import sys; sys.exit('no luck')",
    "error": "def f():\n    raise ValueError('wrong')\nf()",
    "interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
    "customized": "import builtins; print(builtins.customized)",
    "end": "import atexit, threading, time\natexit.register(print, 'at exit')\n"
    "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\nprint('main')",
    "threads": "import asyncio, concurrent.futures as c\n"
    "async def main(): return await asyncio.to_thread(lambda: 5)\n"
    "print(asyncio.run(main()), list(c.ThreadPoolExecutor().map(abs, [-1])))",
    "spawned": "import multiprocessing as m, os\n"
    "def work(q): q.put(os.getcwd())\n"
    "if __name__ == '__main__':\n"
    "    c = m.get_context('spawn'); q = c.Queue(); p = c.Process(target=work, args=(q,)); p.start()\n"
    "    print(q.get()); p.join()",
    "child": "import subprocess, sys\n"
    "print(subprocess.check_output([sys.executable, '-c', 'print(5)'], text=True).strip())",
}


SITES = {
    ".": {"sitecustomize.py": "raise SystemExit('that of the program')"},
    "site": {
        "sitecustomize.py": "import builtins, coverage; builtins.customized = coverage.__file__",
        "coverage.py": "",
    },
}


def begin(room, name, address, *, module="", env=None, uid=None):
    """What a program prints, and its status."""
    reading, writing = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR)
    words = ("-m", module) if module else (f"{name}.py",)
    argv = ("/usr/bin/python", *words, "a b")
    order = Order(
        argv, "" if module else f"{name}.py", module, ("a b",), env or USUAL, "/app", uid, (),
        room.spec,
    )  # fmt: skip
    pid = fork_by(address, room, order, (nothing, writing, writing))
    os.close(writing)
    os.close(nothing)
    with os.fdopen(reading) as output:
        text = output.read()
    return {"output": text, "status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def cold(*arguments, **options):
    try:
        begin(*arguments, **options)
    except ColdError as error:
        return str(error)
    return ""


def unheard(room, server):
    """What becomes of a program whose supervisor has ended before it was told of it."""

    class Deaf(socket.socket):
        def connect(self, address):
            super().connect(address)
            self.shutdown(socket.SHUT_RD)

    reading, writing = os.pipe()
    asking.socket.socket = Deaf
    order = Order(("python", "chance.py"), "chance.py", "", (), USUAL, "/app", None, (), room.spec)
    try:
        fork_by(server, room, order, (os.open("/dev/null", os.O_RDWR), writing, writing))
    except ColdError:
        told = True
    asking.socket.socket = Deaf.__base__
    os.close(writing)
    with os.fdopen(reading) as output:
        text = output.read()
    return {"told": told, "output": text, "status": os.waitstatus_to_exitcode(os.wait()[1])}


def inside(folder, recorder, server):
    app = Path(folder) / "app"
    app.mkdir()
    app.chmod(0o755)
    for name, text in PROGRAMS.items():
        (app / f"{name}.py").write_text(text)
        (app / f"{name}.py").chmod(0o644)
    for place, files in SITES.items():
        (app / place).mkdir(exist_ok=True)
        for name, text in files.items():
            (app / place / name).write_text(text)
    mounts = [MountSpec("/app", str(app))]
    if not sys.prefix.startswith("/usr"):
        mounts.append(MountSpec(sys.prefix, sys.prefix, read_only=True))
    room = make_room(folder, mounts=mounts, working_dir="/app")
    signal.signal(signal.SIGALRM, lambda *_: os._exit(9))  # the first process has no default
    signal.alarm(60)
    found = {"recorded": begin(room, "seen", recorder)}
    if not server:
        return found
    found |= {name: begin(room, name, server) for name in PROGRAMS if name != "customized"}
    found["again"] = begin(room, "chance", server)
    found["module"] = begin(room, "seen", server, module="seen")
    found["user"] = begin(room, "seen", server, uid=1234)
    found["other environment"] = cold(room, "seen", server, env={**USUAL, "PY_SAX_PARSER": "x"})
    found["other zone"] = cold(room, "seen", server, env={**USUAL, "TZ": "Asia/Tokyo"})
    found["other locale"] = cold(room, "seen", server, env={**USUAL, "LC_ALL": "C"})
    measured = {**USUAL, "COVERAGE_PROCESS_START": "rc", "PYTHONPATH": "/app/site"}
    found["customized"] = begin(room, "customized", server, env=measured)
    found["harmless"] = begin(room, "status", server, env={**USUAL, "LEVEL": "debug"})
    found["wrong token"] = cold(room, "seen", server[:-1] + ("0" if server[-1] != "0" else "1"))
    found["no server"] = cold(room, "seen", "stackproof-nowhere:0")
    missing = begin_missing(room, server)
    found["unheard"] = unheard(room, server)
    tell_failure(server[:-1] + "?", "a stranger's word")
    tell_failure(server, "a fork exited with status 1")
    return {**found, "missing folder": missing}


def begin_missing(room, server):
    order = Order(("python", "x.py"), "x.py", "", (), USUAL, "/nowhere", None, (), room.spec)
    nothing = os.open("/dev/null", os.O_RDWR)
    try:
        fork_by(server, room, order, (nothing, nothing, nothing))
    except OSError as error:
        return str(error)
    return ""


def outside(folder):
    from stackproof.engines.process.fork_server.kept import Kept

    python = Path(sys.executable)
    recorder = Kept(python, USUAL)
    ready = recorder.is_ready(60)
    with open("/proc/self/cmdline") as file:
        text = file.read().split("\0")[2]
    program = [sys.executable, "-c", text, "inside"]
    first = f"{folder}/first"
    os.mkdir(first)
    enter_namespaces([*program, first, recorder.address, ""])
    modules = recorder.modules()
    more = ["xml.sax", "random", "ssl", "multiprocessing", "logging", "threading", "coverage"]
    server = Kept(python, USUAL, [*modules, *more])
    server.is_ready(60)
    second = f"{folder}/second"
    os.mkdir(second)
    enter_namespaces([*program, second, recorder.address, server.address])
    found = {"later": server.modules(), "failures": server.failures}
    recorder.close()
    server.close()
    with open(f"{second}/answer.json") as file:
        found |= {"ready": ready, "modules": modules, "faults": server.faults}
        return {**json.load(file), **found}


def main():
    if sys.argv[1] == "inside":
        folder, recorder, server = sys.argv[2:]
        os.umask(0o077)
        answer = inside(folder, recorder, server)
        with open(f"{folder}/answer.json", "w") as file:
            json.dump(answer, file)
    else:
        print(json.dumps(outside(sys.argv[1])))
