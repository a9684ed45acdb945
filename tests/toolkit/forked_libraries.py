"""Programs of common libraries, begun by one fork server that has the libraries imported.

Put behind `supervised.py` and `forked.py` of the unit tests, and started with
`python -c TEXT FOLDER PYTHON MODULES`, by root or by an ordinary user; answers in JSON.
"""

import json
import os
import signal
import sys
from pathlib import Path

from forked import MountSpec, begin, enter_namespaces, make_room  # left out in a text

from stackproof.engines.process.fork_server.kept import Kept

FOUND = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}

CELERY = """
import celery, os, sys, time
FOLDERS = ("in", "out", "control")
for name in FOLDERS: os.makedirs(f"/tmp/POOL/{name}", exist_ok=True)
options = {"data_folder_in": "/tmp/POOL/in", "data_folder_out": "/tmp/POOL/in",
           "control_folder": "/tmp/POOL/control"}
app = celery.Celery("tasks", broker="filesystem://", set_as_current=True)
app.conf.update(broker_transport_options=options, worker_hijack_root_logger=False)
@app.task(name="work")
def work():
    with open("/tmp/POOL/done", "w") as file: file.write(f"{os.getpid() == 1}")
    os.kill(1, 15)
work.delay()
try:
    app.worker_main(["worker", "--pool", "POOL", "--concurrency", "1", "--without-gossip",
                     "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"])
finally:
    done, ahead = open("/tmp/POOL/done").read(), "celery.app.base" in AHEAD
    os.write(1, f"in the main process: {done} {ahead}\\n".encode())
"""

TEXTS = {
    "asyncio": "import asyncio\n"
    "async def main():\n"
    "    server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)\n"
    "    port = server.sockets[0].getsockname()[1]\n"
    "    reader, writer = await asyncio.open_connection('127.0.0.1', port)\n"
    "    print(await reader.read(), await asyncio.to_thread(lambda: 5), 'asyncio' in AHEAD)\n"
    "asyncio.run(main())",
    "uvloop": "import asyncio, uvloop\n"
    "async def main():\n"
    "    done = await asyncio.create_subprocess_exec('true')\n"
    "    print(await done.wait(), type(asyncio.get_running_loop()).__module__, 'uvloop' in AHEAD)\n"
    "uvloop.run(main())",
    "gevent": "from gevent import monkey; monkey.patch_all()\n"
    "import gevent, socket, threading\n"
    "ends = socket.socketpair()\n"
    "jobs = [gevent.spawn(ends[0].recv, 9), gevent.spawn(ends[1].send, b'x')]\n"
    "gevent.joinall(jobs, timeout=20)\n"
    "print(jobs[0].value, threading.get_ident() != 0, 'gevent' in AHEAD)",
    "numpy": "import numpy\n"
    "print(int((numpy.ones((200, 200)) @ numpy.ones((200, 200)))[0, 0]), 'numpy' in AHEAD)",
    "chance": "import numpy; print(numpy.random.random())",
    "pydantic_settings": "import pydantic_settings as p\n"
    "class Settings(p.BaseSettings): level: str = 'none'\n"
    "print(Settings().level, 'pydantic_settings' in AHEAD)",
    "sqlalchemy": "import sqlalchemy as s\n"
    "with s.create_engine('sqlite:///:memory:').connect() as link:\n"
    "    print(link.execute(s.text('select 6 * 7')).scalar(), 'sqlalchemy' in AHEAD)",
    "prefork": CELERY.replace("POOL", "prefork"),
    "solo": CELERY.replace("POOL", "solo"),
}
SEEN_AHEAD = "import sys; AHEAD = {*sys.modules}\n"


def begun_in_a_room(folder, server, prefix):
    """What each program has printed, and its status."""
    app = Path(folder) / "app"
    app.mkdir()
    app.chmod(0o755)
    for name, text in TEXTS.items():
        (app / f"of_{name}.py").write_text(SEEN_AHEAD + text)
        (app / f"of_{name}.py").chmod(0o644)
    mounts = [MountSpec("/app", str(app)), MountSpec(prefix, prefix, read_only=True)]
    room = make_room(folder, mounts=mounts, working_dir="/app")
    signal.signal(signal.SIGALRM, lambda *_: os._exit(9))  # the first process has no default
    signal.alarm(100)
    environment = {**FOUND, "LEVEL": "debug"}
    found = {name: begin(room, f"of_{name}", server, env=environment) for name in TEXTS}
    return {**found, "again": begin(room, "of_chance", server, env=environment)}


def prepared(folder, python, *modules):
    """What programs did with what was imported ahead."""
    server = Kept(Path(python), FOUND, modules)
    server.is_ready(100)
    text = Path("/proc/self/cmdline").read_text().split("\0")[2]
    prefix = str(Path(python).parents[1])
    program = [sys.executable, "-c", text, "within", folder, server.address, prefix]
    enter_namespaces(program)
    server.close()
    return {**json.loads(Path(folder, "answer.json").read_text()), "faults": server.faults}


def run_libraries():
    if sys.argv[1] == "within":
        os.umask(0o077)
        answer = begun_in_a_room(*sys.argv[2:])
        Path(sys.argv[2], "answer.json").write_text(json.dumps(answer))
    else:
        print(json.dumps(prepared(*sys.argv[1:])))
