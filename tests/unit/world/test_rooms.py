"""What a service sees in its room, and what it can't do, as root and as an ordinary user."""

import signal
from pathlib import Path

ROOT_CAPABILITIES = "00000000a80425fb"
"""Docker's default set, as /proc/self/status shows it."""

NONE = "0" * 16
READ_ONLY = "Read-only file system"
FRESH = "No such file or directory"


def test_a_service_is_the_first_process_of_a_session_and_alone(supervised):
    seen = supervised("seen")["root"]
    assert (seen["pid"], seen["session"], seen["processes"]) == (1, 1, ["1"])


def test_it_has_its_host_name_its_folder_and_exactly_the_environment_given(supervised):
    seen = supervised("seen")["root"]
    assert (seen["hostname"], seen["cwd"], seen["umask"]) == ("web", "/app", 0o022)
    assert seen["environment"] == {"PATH": "/usr/bin", "LC_ALL": "C", "A": "é=$1"}


def test_root_has_the_rights_that_docker_gives_and_can_gain_none(supervised):
    status = supervised("seen")["root"]["status"]
    assert {status["CapPrm"], status["CapEff"], status["CapBnd"]} == {ROOT_CAPABILITIES}
    assert {status["CapInh"], status["CapAmb"]} == {NONE}
    assert status["NoNewPrivs"] == "1"


def test_another_user_has_its_numbers_and_no_rights(supervised):
    seen = supervised("seen")
    for who, number in (("user", 999), ("asked", 1234)):
        status = seen[who]["status"]
        assert set(seen[who]["ids"]) == {number}
        assert {status["CapPrm"], status["CapEff"]} == {NONE}
        assert (status["CapBnd"], status["NoNewPrivs"]) == (ROOT_CAPABILITIES, "1")
    assert "app:x:999:999:app:/home/app:/bin/sh" in seen["user"]["passwd"].splitlines()


def test_no_signal_is_blocked_or_ignored_but_by_the_interpreter(supervised):
    status = supervised("seen")["root"]["status"]
    of_the_c_library = 1 << 31 | 1 << 32  # signals 32 and 33: it lets no program set them
    ignored = int(status["SigIgn"], 16) & ~of_the_c_library
    assert (status["SigBlk"], ignored) == (NONE, 1 << 12 | 1 << 24)


def test_nothing_is_open_but_the_three_streams(supervised):
    handles = supervised("seen")["root"]["handles"]
    assert handles == ["/dev/null", "pipe", "pipe"]


def test_it_sees_the_usual_folders_and_nothing_of_the_machine(supervised):
    seen = supervised("seen")["root"]
    assert {"app", "bin", "etc", "proc", "tmp", "usr", "var"} <= set(seen["root"])
    assert not [name for name in seen["root"] if name.startswith(".")]
    usual = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()
    assert seen["dev"] == [*(["core"] if Path("/proc/kcore").exists() else []), *usual]
    assert seen["modes"] == {"/": "0o755", "/tmp": "0o1777", "/var/tmp": "0o1777", "/run": "0o755",
                             "/dev/shm": "0o1777", "/etc/passwd": "0o644"}  # fmt: skip
    assert seen["interfaces"] == ["lo"]


def test_its_mounts_are_read_only_but_its_own(supervised):
    mounted = supervised("seen")["root"]["mounted"]
    assert mounted["/proc/sys"] == "ro proc"
    assert mounted["/sys"] == "ro sysfs"
    writable = {path for path, how in mounted.items() if how.startswith("rw")}
    own = {"/", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/proc"}
    devices = {path for path in writable if mounted[path] == "rw devtmpfs"}
    assert writable - devices == own


def test_names_and_the_resolver_stand_where_the_c_library_looks(supervised):
    seen = supervised("seen")
    assert "nameserver 127.0.0.11" in seen["root"]["resolver"].splitlines()
    hosts = [line.split("\t") for line in seen["root"]["hosts"].splitlines()]
    assert ["127.0.0.1", "localhost"] in hosts
    assert ["172.18.0.2", "web"] in hosts
    assert ["10.1.2.3", "other"] in hosts
    assert seen["outside"]["resolver"] == ""


def test_nothing_of_the_machine_can_be_written_or_looked_into(supervised):
    for who in ("root", "user"):
        guarded = supervised("guarded")[who]
        assert guarded["done"] == ["new namespaces"]  # they hold nothing but what is read-only
        assert (guarded["seen"], guarded["host"]) == ([], False)


def test_an_overlay_shows_its_sources_and_keeps_what_is_written_apart(supervised):
    found = supervised("laid_out")
    assert found["app"] == {"app.py": "code", "page.html": "new"}
    assert found["app written"] == ["written", "written"]
    assert found["copy"] == ["settings", "written", "written"]
    assert found["sources"] == {
        "conf": "settings", "code/app.py": "code", "code/page.html": "old",
        "more/page.html": "new", "data/kept": "kept", "data/made": "written",
        "fixed/there": "fixed",
    }  # fmt: skip
    assert found["uppers"] == {"app.py": "written", "made": "written"}


def test_binds_are_written_through_unless_read_only(supervised):
    found = supervised("laid_out")
    assert found["data"] == ["kept", "written"]
    assert found["conf"] == ["settings", READ_ONLY]
    assert found["fixed"] == ["fixed", READ_ONLY, "kept"]


def test_a_tmpfs_is_bounded_and_holds_other_mounts(supervised):
    found = supervised("laid_out")
    assert (found["inner"], found["cache"]) == ("kept", ["written", 65536])


def test_mounts_below_dev_are_seen_beside_what_is_new_there_at_each_start(supervised):
    assert supervised("laid_out")["shm"] == ["kept", "written", "written"]


def test_mounts_below_usr_get_their_places_though_nothing_there_changes(supervised):
    found = supervised("laid_out")
    assert found["below usr"] == ["kept", "settings", "code", "written", True, READ_ONLY]
    assert found["certificate"] == ["settings", True]
    assert found["usr"] == ["new"]


def test_links_on_the_way_lead_through_the_room_and_not_through_the_machine(supervised):
    found = supervised("laid_out")
    assert found["absolute"] == ["kept", "kept"]
    assert found["machine"] == [False, False]


def test_only_mounts_of_a_read_only_room_are_written(supervised):
    found = supervised("frozen")
    written = {path for path, answer in found.items() if answer == "written"}
    assert written == {"/data/file", "/cache/file", "/dev/shm/file"}
    assert {found[path] for path in set(found) - written} == {READ_ONLY}


def test_files_outlast_a_restart_and_memory_does_not(supervised):
    found = supervised("restarted")
    kept = {"/tmp/kept": "written", "/cache/lost": FRESH, "/dev/shm/lost": FRESH, "/run/x": FRESH}
    assert found["again"]["files"] == kept
    assert found["own"]["files"] == kept


def test_a_command_joins_the_running_service(supervised):
    found = supervised("restarted")
    beside = found["beside"]
    assert (beside["pid"], beside["processes"]) == (2, [1, 2])
    assert beside["files"]["/cache/lost"] == "written"
    assert {name: beside["namespaces"][name] for name in beside["main"]} == beside["main"]
    assert found["user"] == [1000, True]


def test_a_command_without_the_service_has_processes_of_its_own(supervised):
    found = supervised("restarted")
    for who in ("alone", "own"):
        assert (found[who]["pid"], found[who]["processes"]) == (1, [1])
    assert found["own"]["namespaces"]["net"] == found["beside"]["namespaces"]["net"]
    for kind in ("ipc", "mnt", "pid"):
        assert found["own"]["namespaces"][kind] != found["beside"]["namespaces"][kind]


def test_a_process_that_has_ended_can_not_be_joined(supervised):
    assert supervised("restarted")["dead"] == "ProcessLookupError"


def test_two_rooms_with_the_same_paths_do_not_meet(supervised):
    found = supervised("apart")
    assert found["found"] == [["a"] * 7, ["b"] * 7]
    assert found["killed"] == 0


def test_the_end_of_a_service_is_the_end_of_all_its_processes(supervised):
    killed = supervised("killed")
    assert killed == {"before": 4, "ended": [9, 9], "after": []}


def test_what_cannot_be_started_is_an_error_as_of_a_subprocess(supervised):
    told = supervised("refused")
    assert told["no program"][:2] == ["FileNotFoundError", 2]
    assert told["no program"][2].endswith("'no-such-program'")
    assert told["no file"][:2] == ["FileNotFoundError", 2]
    assert told["no rights"][:2] == ["PermissionError", 13]
    assert told["no folder"][2] == "[Errno 2] No such file or directory: '/no/such/folder'"
    assert told["no folder but a file"][:2] == ["NotADirectoryError", 20]
    assert "of the caller" in told["before"][2]


def test_what_cannot_be_mounted_is_named_with_the_step(supervised):
    told = {name: answer[2] for name, answer in supervised("refused").items() if len(answer) == 3}
    assert "bind FOLDER/nowhere on /x: FOLDER/nowhere: No such file" in told["no source"]
    assert "nothing can be mounted on /" in told["root"]
    assert "nothing can be mounted on /proc/x" in told["proc"]
    assert "its target is no absolute path" in told["relative"]
    assert "the source is a file, and /tmp is a folder" in told["file on folder"]
    assert "an overlay needs a folder for what is written" in told["no upper"]
    assert "on /x: Invalid argument" in told["size"]
    assert "set the host name nnnn" in told["name"]


def test_an_overlay_whose_upper_lies_on_an_overlay_says_so(supervised):
    text = supervised("refused")["upper"][2]
    assert "FOLDER/merged/up, which lies on an overlay" in text
    assert "STACKPROOF_STATE_DIR" in text


def test_a_failed_start_leaves_no_child(supervised):
    assert supervised("refused")["children"] == []


def test_nothing_stays_mounted_or_open_when_a_room_is_dropped(supervised):
    dropped = supervised("dropped")
    assert dropped["same"] == [True] * 7, dropped["after"]
    assert dropped["more"] == 2


def test_changes_of_ids_by_root_work_or_succeed_without_effect(supervised):
    faked = supervised("faked")
    owner = 33 if supervised.has_all_ids else 0
    assert faked["root"] == [None, owner, None, None, None, None, None, owner]
    assert [type(answer) for answer in faked["user"]] == [str, int, str, str, str, str, str, int]
    assert (faked["user"][1], faked["user"][-1]) == (999, 999)


def test_processes_of_a_room_are_found_by_their_mark(supervised):
    assert supervised("found")["found"]


def test_a_signal_to_a_process_that_is_no_program_yet_reaches_nobody_else(supervised):
    assert supervised("signalled") == {"answer": 1, "heard": "", "own": [signal.SIGUSR1]}


def test_a_new_volume_has_what_the_image_has_in_its_place(supervised):
    seen = supervised("brought_for_a_user")
    assert (sorted(seen["kept"]), seen["text"]) == (["deeper", "sub"], "of the image")
    assert seen["full"] == ["own"]  # it was not empty
    assert seen["machine"] == []  # nothing of this machine's programs


def test_what_copy_brings_for_a_user_belongs_to_it(supervised):
    owner = [1500, 1501] if supervised.has_all_ids else [0, 0]
    assert set(map(tuple, supervised("brought_for_a_user")["owners"].values())) == {tuple(owner)}


def test_a_service_does_not_see_into_a_copy_of_the_supervisor_that_enters_its_room(supervised):
    found = supervised("hidden")
    for seen in found.values():
        copy = max(seen, key=int)
        assert seen[copy] == "Permission denied"
    assert found["root"]["1"] is True  # one of its own is seen


def test_a_step_of_a_build_may_write_below_usr_and_its_image_shows_it(supervised):
    found = supervised("layered")
    assert found["done"] == ["made", "written", "written", "written"]
    assert found["seen"] == ["written", "written", "written", True, ["server.js"]]


def test_a_step_that_writes_nothing_leaves_no_folder_of_the_machine_in_its_layer(supervised):
    assert supervised("layered")["empty"] == ["files"]
