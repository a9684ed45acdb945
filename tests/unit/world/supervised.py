"""A stand-in for the supervisor: its namespaces, and rooms made and used in them.

Started with `python -c TEXT SCENARIO FOLDER`, by root or by an ordinary user; answers in JSON. The
text must stand for itself, since an ordinary user may not get to this file.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time

from stackproof.engines.process.world.rooms import Room
from stackproof.engines.process.world.spec import InterfaceSpec, MountSpec, RoomSpec
from stackproof.reaper import kernel, namespace
from stackproof.reaper.sweep import marked

PYTHON = os.path.realpath(sys.executable)


def enter_namespaces(program, *, world=True):
    """Run a program as the first process of the namespaces that a supervisor has; its status."""
    kernel.become_subreaper()
    start = lambda: os.execv(sys.executable, program)  # noqa: E731 - it is the whole program
    child, _ = namespace.spawn(start, private=True, world=world)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def new_network():
    """A handle of a new network namespace."""
    reading, writing = os.pipe()
    holder = os.fork()
    if holder == 0:
        kernel.unshare(kernel.CLONE_NEWNET)
        os.write(writing, b"x")
        signal.pause()
    os.read(reading, 1)
    made = os.open(f"/proc/{holder}/ns/net", os.O_RDONLY)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    return made


def interpreter():
    """What the interpreter needs that is not below /usr."""
    folders = {os.path.realpath(sys.base_prefix), os.path.dirname(PYTHON)}
    return [MountSpec(one, one, read_only=True) for one in folders if not one.startswith("/usr")]


def make_room(folder, name="web", network=-1, mounts=(), **fields):
    spec = RoomSpec(name, f"{folder}/{name}", mounts=(*interpreter(), *mounts), **fields)
    room = Room(spec, network)
    room.build()
    return room


def run(room, code, **options):
    """What a Python program in the room prints, as JSON; its error where it fails."""
    reading, writing = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR)
    options = {"env": {"PATH": "/usr/bin:/bin"}, "cwd": "/", **options}
    child = room.spawn(
        [PYTHON, "-S", "-c", f"import json, os, sys\n{code}"],
        streams=(nothing, writing, writing), **options,
    )  # fmt: skip
    os.close(writing)
    os.close(nothing)
    with os.fdopen(reading) as output:
        text = output.read()
    os.waitpid(child, 0)
    try:
        return json.loads(text)
    except ValueError:
        return {"failed": text}


SEEN = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def names(path): return sorted(os.listdir(path))
print(json.dumps({
    "pid": os.getpid(), "session": os.getsid(0), "hostname": os.uname().nodename,
    "ids": [os.getuid(), os.geteuid(), os.getgid(), *os.getgroups()],
    "environment": dict(os.environ), "cwd": os.getcwd(), "umask": os.umask(0o22),
    "status": {key: status[key].split()[0] for key in status
               if key.startswith(("Cap", "NoNew", "SigIgn", "SigBlk"))},
    "root": names("/"), "dev": names("/dev"),
    "handles": [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in names("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{n}")],
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "mounted": {line.split()[4]: line.split()[5].split(",")[0] + " " + line.split(" - ")[1].split()[0]
                for line in open("/proc/self/mountinfo")},
    "passwd": open("/etc/passwd").read(), "hosts": open("/etc/hosts").read(),
    "resolver": open("/etc/resolv.conf").read(),
    "modes": {path: oct(os.stat(path).st_mode & 0o7777) for path in
              ("/", "/tmp", "/var/tmp", "/dev/shm", "/etc/passwd", "/run")},
    "interfaces": names("/sys/class/net"),
}))
"""


def seen(folder):
    face = InterfaceSpec("default", "172.18.0.2", 16, "172.18.0.1", ("web",))
    room = make_room(
        folder, network=new_network(), interfaces=(face,), hosts={"other": "10.1.2.3"},
        working_dir="/app", shm_size=1 << 20,
    )  # fmt: skip
    os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(os.open("/etc", os.O_RDONLY), True)  # noqa: FBT003 - as it is
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    user = make_room(folder, "user", uid=999, user="app", home="/home/app", network=new_network())
    return {
        "root": run(room, SEEN, env={"PATH": "/usr/bin", "LC_ALL": "C", "A": "é=$1"}, cwd="/app"),
        "user": run(user, SEEN),
        "asked": run(room, SEEN, uid=1234),
        "outside": run(make_room(folder, "outside"), SEEN),
    }


ATTEMPTS = """
import ctypes, errno
done = []
def attempt(name, action):
    try:
        action()
    except OSError as error:
        return
    done.append(name)
def put(path, text):
    with open(path, "w") as file: file.write(text)
library = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if getattr(library, function)(*arguments) < 0: raise OSError(ctypes.get_errno(), function)
def rewrite(path):
    return lambda: put(path, open(path).read())
for path in ("/proc/sys/kernel/hostname", "/proc/sys/kernel/panic", "/proc/sys/vm/swappiness",
             "/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
             "/proc/sys/kernel/ns_last_pid"):
    attempt(path, rewrite(path))
attempt("sysrq", lambda: put("/proc/sysrq-trigger", "h"))
for path in ("/proc/irq/default_smp_affinity", "/proc/fs/nothing", "/sys/kernel/nothing",
             "/sys/fs/cgroup/nothing", "/usr/nothing", "/usr/bin/nothing", "/bin/nothing",
             "/lib/nothing", "/etc/ssl/certs/nothing", "/dev/null/nothing"):
    attempt(path, lambda: (put(path, ""), os.unlink(path)))
for kind in ("cgroup", "cgroup2"):
    attempt(f"mount {kind}", lambda: call("mount", b"none", b"/mnt", kind.encode(), 0, None))
attempt("mkdir cgroup", lambda: os.mkdir("/sys/fs/cgroup/nothing"))
attempt("mount proc", lambda: call("mount", b"proc", b"/mnt", b"proc", 0, None))
attempt("remount", lambda: call("mount", None, b"/usr", None, 32 | 4096, None))
attempt("remount proc", lambda: call("mount", None, b"/proc/sys", None, 32 | 4096, None))
attempt("unmount", lambda: call("umount2", b"/proc/sys", 2))
attempt("pivot", lambda: call("pivot_root", b"/tmp", b"/tmp"))
attempt("device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)))
attempt("hostname", lambda: call("sethostname", b"other", 5))
seen = [path for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/acpi",
        "/proc/scsi") if os.path.exists(path) and (os.listdir(path) if os.path.isdir(path)
        else os.access(path, os.R_OK) and open(path, "rb").read(1))]
# the same with all rights of a new user namespace, and a copy of the mounts
attempt("new namespaces", lambda: call("unshare", 0x10000000 | 0x20000))
for path, number in ((b"/proc/sys", 0), (b"/usr", 0), (b"/proc/kcore", 0), (b"/dev", 0)):
    attempt(f"{path} unmounted", lambda: call("umount2", path, 2))
    attempt(f"{path} remounted", lambda: call("mount", None, path, None, 32 | 4096, None))
attempt("proc inside", lambda: call("mount", b"proc", b"/mnt", b"proc", 0, None))
attempt("sysctl inside", rewrite("/proc/sys/vm/swappiness"))
print(json.dumps({"done": done, "seen": seen, "host": os.path.exists(sys.argv[1])}))
"""


def guarded(folder):
    room = make_room(folder, network=new_network())
    user = make_room(folder, "user", uid=999, network=new_network())
    secret = f"{folder}/secret"
    with open(secret, "w") as file:
        file.write("of the machine")
    code = ATTEMPTS.replace("sys.argv[1]", repr(secret))
    return {"root": run(room, code), "user": run(user, code)}


def put(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def tree(folder):
    return {
        os.path.relpath(os.path.join(base, name), folder): open(os.path.join(base, name)).read()
        for base, _, names in os.walk(folder)
        for name in sorted(names)
        if not os.path.islink(os.path.join(base, name))
    }


WRITING = """
def read(path):
    try: return open(path).read()
    except OSError as error: return error.strerror
def write(path, text="written"):
    try:
        with open(path, "w") as file: file.write(text)
        return "written"
    except OSError as error: return error.strerror
def free(path): return (lambda about: about.f_frsize * about.f_blocks)(os.statvfs(path))
"""


def laid_out(folder):
    """Mounts of each kind, and what became of their sources."""
    lay = f"{folder}/lay,out:1"  # characters with a meaning for overlayfs
    put(f"{lay}/code/app.py", "code")
    put(f"{lay}/code/page.html", "old")
    put(f"{lay}/more/page.html", "new")
    put(f"{lay}/data/kept", "kept")
    put(f"{lay}/conf", "settings")
    put(f"{lay}/fixed/there", "fixed")
    os.symlink("/opt/elsewhere", f"{lay}/code/absolute")
    mounts = (
        MountSpec("/app/cache/inner", f"{lay}/data"),  # inner ones first: order is not given
        MountSpec("/app", f"{lay}/code", "overlay", upper=f"{folder}/up/one"),
        MountSpec("/app", f"{lay}/more", "overlay", upper=f"{folder}/up/two"),
        MountSpec("/app/cache", kind="tmpfs", size="64k"),
        MountSpec("/data", f"{lay}/data"),
        MountSpec("/etc/app/conf", f"{lay}/conf", read_only=True),
        MountSpec("/srv/copy", f"{lay}/conf", "overlay", upper=f"{folder}/up/three"),
        MountSpec("/fixed", f"{lay}/fixed", read_only=True),
        MountSpec("/fixed/new/place", f"{lay}/data"),
        MountSpec("/usr/lib/brand-new/deep", f"{lay}/data"),
        MountSpec("/usr/lib/brand-new/conf", f"{lay}/conf"),
        MountSpec("/usr/new", f"{lay}/code", read_only=True),
        MountSpec("/usr/share/brand-new", kind="tmpfs"),
        MountSpec("/etc/ssl/certs/own.pem", f"{lay}/conf", read_only=True),
        MountSpec("/app/absolute/mount", f"{lay}/data"),
        MountSpec("/var/run/link", f"{lay}/data"),
        MountSpec("/dev/shm/inner", f"{lay}/data"),
        MountSpec("/dev/device", "/dev/null"),
    )
    usual = set(os.listdir("/usr"))
    room = make_room(folder, mounts=mounts)
    code = (
        WRITING
        + """
print(json.dumps({
    "app": {name: read(f"/app/{name}") for name in ("app.py", "page.html")},
    "app written": [write("/app/app.py"), write("/app/made")],
    "shm": [read("/dev/shm/inner/kept"), write("/dev/device"), write("/dev/shm/own")],
    "inner": read("/app/cache/inner/kept"), "cache": [write("/app/cache/x"), free("/app/cache")],
    "data": [read("/data/kept"), write("/data/made")],
    "conf": [read("/etc/app/conf"), write("/etc/app/conf")],
    "copy": [read("/srv/copy"), write("/srv/copy"), read("/srv/copy")],
    "fixed": [read("/fixed/there"), write("/fixed/there"), read("/fixed/new/place/kept")],
    "below usr": [read("/usr/lib/brand-new/deep/kept"), read("/usr/lib/brand-new/conf"),
                  read("/usr/new/app.py"), write("/usr/share/brand-new/file"),
                  os.path.exists("/usr/lib/os-release"), write("/usr/lib/made")],
    "certificate": [read("/etc/ssl/certs/own.pem"), len(os.listdir("/etc/ssl/certs")) > 1],
    "absolute": [read("/opt/elsewhere/mount/kept"), read("/run/link/kept")],
    "usr": sorted(os.listdir("/usr")), "root": sorted(os.listdir("/")),
}))
"""
    )
    found = run(room, code)
    found["usr"] = sorted(set(found["usr"]) ^ usual)
    found["sources"] = tree(lay)
    found["uppers"] = tree(f"{folder}/up/two/files")
    found["machine"] = [os.path.lexists(path) for path in ("/opt/elsewhere", "/run/link")]
    return found


def frozen(folder):
    """A room whose own files are read-only."""
    put(f"{folder}/data/kept")
    mounts = (MountSpec("/data", f"{folder}/data"), MountSpec("/cache", kind="tmpfs"))
    room = make_room(folder, mounts=mounts, read_only=True, working_dir="/app")
    code = (
        WRITING
        + """
paths = "/file", "/app/file", "/tmp/file", "/etc/hosts", "/data/file", "/cache/file", "/dev/shm/file"
print(json.dumps({path: write(path) for path in paths}))
"""
    )
    return run(room, code, cwd="/app")


def start(room, code="import signal; signal.pause()", env=None, **options):
    """A program that goes on; its number, when it has begun."""
    reading, writing = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR)
    child = room.spawn(
        [PYTHON, "-S", "-c", f"import os\nos.close(1)\n{code}"], env=dict(env or {}), cwd="/",
        streams=(nothing, writing, 2), **options,
    )  # fmt: skip
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    os.close(nothing)
    return child


def end(child):
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def restarted(folder):
    """A service that is started twice, and commands beside it."""
    room = make_room(folder, mounts=(MountSpec("/cache", kind="tmpfs"),), network=new_network())
    who = (
        WRITING
        + """
ipc = sorted(os.listdir("/dev/mqueue"))
print(json.dumps({
    "pid": os.getpid(), "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "files": {path: read(path) for path in ("/tmp/kept", "/cache/lost", "/dev/shm/lost", "/run/x")},
    "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in
                   ("pid", "mnt", "ipc", "uts", "net", "cgroup")},
    "main": {name: os.readlink(f"/proc/1/ns/{name}") for name in ("pid", "mnt", "ipc", "uts", "net")},
}))
"""
    )
    alone = run(room, who)
    first = start(
        room,
        WRITING
        + """
for path in ("/tmp/kept", "/cache/lost", "/dev/shm/lost"): write(path)
import signal; signal.pause()
""",
    )
    beside = run(room, who, inside=first)
    as_user = run(room, "print(json.dumps([os.getuid(), os.getpid() > 1]))", inside=first, uid=1000)
    on_its_own = run(room, who)
    ended = end(first)
    second = start(room)
    again = run(room, who, inside=second)
    end(second)
    try:
        run(room, who, inside=second)
        dead = "started"
    except ProcessLookupError:
        dead = "ProcessLookupError"
    return {"alone": alone, "beside": beside, "user": as_user, "own": on_its_own, "ended": ended,
            "again": again, "dead": dead}  # fmt: skip


def apart(folder):
    """Two rooms with the same paths, and a process of each."""
    mounts = (MountSpec("/cache", kind="tmpfs"),)
    rooms = [make_room(folder, name, mounts=mounts, network=new_network()) for name in ("a", "b")]
    paths = ("/app", "/tmp/file", "/cache/file", "/dev/shm/file", "/run/lock/file", "/root/file")
    lives = [
        start(
            room,
            WRITING
            + f"""
for path in {paths}: write(path, {room.spec.hostname!r})
import signal; signal.pause()
""",
        )
        for room in rooms
    ]
    look = (
        WRITING
        + f"""
print(json.dumps([read(path) for path in {paths}] + [os.uname().nodename, len(os.listdir("/proc/1"))]))
"""
    )
    found = [run(room, look, inside=life)[:-1] for room, life in zip(rooms, lives, strict=True)]
    code = "try:\n    os.kill({}, 9)\n    print(1)\nexcept ProcessLookupError:\n    print(0)\n"
    return {"found": found, "killed": run(rooms[0], code.format(lives[1]), inside=lives[0])}


def killed(folder):
    """A main process with a daemon and a joined command, killed."""
    room = make_room(folder)
    main = start(
        room,
        """
import signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pause()
signal.pause()
""",
    )
    joined = start(room, inside=main)

    def below():
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > 1)

    deadline = time.monotonic() + 30
    while (before := len(below())) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(main, signal.SIGKILL)  # it ends when all in its namespace have been reaped
    ended = dict(os.waitpid(-1, 0) for _ in (main, joined))
    return {"before": before, "ended": [ended[main], ended[joined]], "after": below()}


def refused(folder):
    """What is said of that which can't be done."""
    told = {}

    def attempt(name, action):
        try:
            action()
        except OSError as error:
            told[name] = [type(error).__name__, error.errno, str(error).replace(folder, "FOLDER")]

    put(f"{folder}/file")
    put(f"{folder}/code/app.py")
    room = make_room(folder)
    nothing = os.open("/dev/null", os.O_RDWR)

    def spawn(argv, **options):
        return room.spawn(
            argv, streams=(nothing, nothing, nothing), **{"env": {}, "cwd": "/", **options}
        )

    attempt("no program", lambda: spawn(["no-such-program"], env={"PATH": "/usr/bin:/bin"}))
    attempt("no file", lambda: spawn(["/no/such/file"]))
    attempt("no rights", lambda: spawn(["/etc/passwd"]))
    attempt("no folder", lambda: spawn([PYTHON], cwd="/no/such/folder"))
    attempt("no folder but a file", lambda: spawn([PYTHON], cwd="/etc/passwd"))

    def fail():
        raise ValueError("of the caller")

    attempt("before", lambda: spawn([PYTHON], before=fail))

    def mount(*arguments, **options):
        return lambda: make_room(folder, "other", mounts=(MountSpec(*arguments, **options),))

    attempt("no source", mount("/x", f"{folder}/nowhere"))
    attempt("root", mount("/", folder))
    attempt("proc", mount("/proc/x", folder))
    attempt("relative", mount("x", folder))
    attempt("file on folder", mount("/tmp", f"{folder}/file"))
    attempt("no upper", mount("/x", f"{folder}/code", "overlay"))
    attempt("size", mount("/x", kind="tmpfs", size="much"))
    attempt("name", lambda: make_room(folder, "n" * 65))
    os.makedirs(f"{folder}/merged")
    os.makedirs(f"{folder}/m/u"), os.makedirs(f"{folder}/m/w")
    layers = f"userxattr,lowerdir={folder}/code,upperdir={folder}/m/u,workdir={folder}/m/w"
    kernel.mount("overlay", f"{folder}/merged", "overlay", 0, layers)
    attempt("upper", mount("/x", f"{folder}/code", "overlay", upper=f"{folder}/merged/up"))
    told["children"] = []
    with contextlib.suppress(ChildProcessError):
        told["children"].append(os.waitpid(-1, os.WNOHANG))
    return told


def handles():
    return sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{name}"))  # fmt: skip


def dropped(folder):
    """What is there before rooms are made, and when they are gone."""

    def state():
        with open("/proc/self/mountinfo") as mounts:
            return [
                [line for line in mounts if folder in line or ".machine" in line],
                handles(),
                sorted(os.listdir(folder)),
                os.getcwd(),
                os.uname().nodename,
                os.readlink("/proc/self/ns/pid"),
                os.readlink("/proc/self/ns/pid_for_children"),
            ]

    put(f"{folder}/code/app.py")
    network = new_network()
    before = state()
    mounts = (MountSpec("/app", f"{folder}/code", "overlay", upper=f"{folder}/up"),)
    room = make_room(folder, mounts=mounts, network=network)
    during = state()
    run(room, "open('/app/made', 'w').close(); os.makedirs('/a/b', 0); print(1)")
    end(start(room))
    with contextlib.suppress(FileNotFoundError):
        room.spawn(["no-such-program"], env={}, cwd="/", streams=(0, 1, 2))
    with contextlib.suppress(OSError):
        make_room(folder, "other", mounts=(MountSpec("/x", "/nowhere"),), network=network)
    room.drop()
    after = state()
    after[2] = [name for name in after[2] if name != "other"]
    return {
        "same": [one == other for one, other in zip(before, after, strict=True)],
        "after": after[1:4],
        "more": len(during[1]) - len(before[1]),
    }


def signalled(folder):
    """What reaches this process of a signal to a child that is not its program yet."""
    room = make_room(folder)
    hearing, telling = socket.socketpair()
    hearing.settimeout(0)
    telling.settimeout(0)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(telling.fileno())
    answer = run(room, "print(1)", before=lambda: os.kill(os.getpid(), signal.SIGUSR1))
    try:
        heard = hearing.recv(9).decode()
    except BlockingIOError:
        heard = ""
    os.kill(os.getpid(), signal.SIGUSR1)
    return {"answer": answer, "heard": heard, "own": list(hearing.recv(9))}


def found(folder):
    """Processes of a room that carry a mark, as the supervisor finds them."""
    room, user = make_room(folder), make_room(folder, "user", uid=999)
    code = "import signal; signal.pause()"
    mark = {"STACKPROOF_RUN": "of-a-room"}
    lives = [start(room, code, env=mark), start(user, code, env=mark)]
    return {"found": sorted(one.pid for one in marked("STACKPROOF_RUN=of-a-room")) == sorted(lives)}


BROUGHT = """
def owners(*paths): return {path: [os.stat(path).st_uid, os.stat(path).st_gid] for path in paths}
print(json.dumps({
    "kept": names("/kept"), "sub": names("/kept/sub"), "text": open("/kept/sub/file").read(),
    "full": names("/full"), "machine": names("/usr/share"),
    "owners": owners("/app/sub", "/app/sub/file", "/kept", "/kept/sub/file"),
}))
""".replace("names(", "os.listdir(")


def brought_for_a_user(folder):
    """What COPY has brought for a user, and the volumes that lie above it."""
    os.makedirs(f"{folder}/context/sub")
    with open(f"{folder}/context/sub/file", "w") as file:
        file.write("of the image")
    for name in ("kept", "full", "machine"):
        os.mkdir(f"{folder}/{name}")
    os.mkdir(f"{folder}/full/own")
    brought = [
        MountSpec(
            target, f"{folder}/context", "overlay", upper=f"{folder}/upper{target}",
            of_image=True, owner=(1500, 1501),
        )
        for target in ("/app", "/kept", "/full", "/kept/deeper")
    ]  # fmt: skip
    volumes = [
        MountSpec(target, f"{folder}{source}", fill=True)
        for target, source in (("/kept", "/kept"), ("/full", "/full"), ("/usr/share", "/machine"))
    ]
    room = make_room(folder, mounts=[*volumes, *brought])
    return run(room, BROUGHT)


def hidden(folder):
    """What a service's process reads of a copy of the supervisor beside it, and of itself."""
    found = {}
    for name, uid in (("root", None), ("user", 999)):
        room = make_room(folder, name, uid=uid)
        main = start(room)
        ready, telling = os.pipe()
        copy = room.call(
            lambda: (os.write(1, b"x"), signal.pause()), streams=(0, telling, 2), inside=main
        )
        os.read(ready, 1)
        code = """
def read(pid):
    try:
        return len(open(f"/proc/{pid}/environ", "rb").read()) >= 0
    except OSError as error:
        return error.strerror
print(json.dumps({pid: read(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                  if pid != os.getpid()}))
"""
        found[name] = run(room, code, inside=main)
        for one in (copy, main):
            os.kill(one, signal.SIGKILL)
            os.waitpid(one, 0)
    return found


LAYERED = (
    WRITING
    + """
def make(path):
    try: os.makedirs(path); return "made"
    except OSError as error: return error.strerror
print(json.dumps([make("/usr/src/app"), write("/usr/src/app/server.js"), write("/usr/local/bin/tool"),
                  write("/opt/tool")]))
"""
)


def layered(folder):
    """What a step of a build has written below /usr, and what a room of its image sees of it."""
    from stackproof.engines.process.builds.work import _keep

    room = make_room(folder, "step", builds=True)
    done = run(room, LAYERED)
    _keep(room.spec, f"{folder}/layer", [])
    empty = make_room(folder, "nothing", builds=True)
    run(empty, "print(1)")
    _keep(empty.spec, f"{folder}/empty", [])
    image = make_room(folder, "image", image=(f"{folder}/layer", f"{folder}/empty"))
    code = (
        WRITING
        + """
print(json.dumps([read("/usr/src/app/server.js"), read("/usr/local/bin/tool"), read("/opt/tool"),
                  os.path.exists("/usr/lib/os-release"), sorted(os.listdir("/usr/src/app"))]))
"""
    )
    return {"done": done, "seen": run(image, code), "empty": sorted(os.listdir(f"{folder}/empty"))}


FAKED = """
def attempt(action):
    try: return action()
    except OSError as error: return error.strerror
open("/tmp/file", "w").close()
print(json.dumps([
    attempt(lambda: os.chown("/tmp/file", 33, 33)), os.stat("/tmp/file").st_uid,
    attempt(lambda: os.fchown(os.open("/tmp/file", os.O_RDONLY), 33, 33)),
    attempt(lambda: os.lchown("/tmp/file", 33, 33)),
    attempt(lambda: os.setgroups([33])), attempt(lambda: os.setgid(33)), attempt(lambda: os.setuid(33)),
    os.getuid(),
]))
"""


def faked(folder):
    room = make_room(folder)
    user = make_room(folder, "user", uid=999)
    return {"root": run(room, FAKED), "user": run(user, FAKED)}


def main(scenarios):
    scenario, folder = sys.argv[-2:]
    if sys.argv[1] != "inside":
        with open("/proc/self/cmdline") as file:
            given = file.read().split("\0")
        at = given.index("-c") + 1
        text = given[at]
        program = [sys.executable, "-c", text, "inside", scenario, folder]
        sys.exit(enter_namespaces(program, world=scenario != "without_users"))
    os.umask(0o077)
    print(json.dumps(scenarios[scenario](folder)))
