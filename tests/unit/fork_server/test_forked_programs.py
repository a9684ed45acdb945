"""A program that a fork server begins sees, does and ends as one that was started anew."""

import json
import signal

USUAL = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
COMMAND = ["/usr/bin/python", "seen.py", "a b"]


def seen(forked, name="seen"):
    return json.loads(forked[name]["output"])


def test_it_is_the_first_process_of_its_room_with_its_names_and_texts(forked):
    found = seen(forked)
    assert (found["pid"], found["session"], found["host"], found["cwd"]) == (1, 1, "web", "/app")
    assert (found["cmdline"], found["name"]) == (COMMAND, "python")
    assert found["environment"] == USUAL
    assert found["environ"] == [f"{name}={value}" for name, value in USUAL.items()]


def test_nothing_of_the_server_is_open_or_imported(forked):
    found = seen(forked)
    assert (found["handles"], found["own"]) == (["0", "1", "2"], [])
    assert seen(forked, "module")["finders"] == seen(forked, "recorded")["finders"]


def test_its_command_line_is_that_of_a_script_or_of_a_module(forked):
    found = seen(forked)
    assert (found["argv"], found["path"]) == (["seen.py", "a b"], "/app")
    assert found["main"] == ["__main__", "seen.py"]
    module = seen(forked, "module")
    assert (module["argv"], module["path"]) == (["/app/seen.py", "a b"], "/app")
    assert module["main"] == ["__main__", "/app/seen.py"]


def test_what_the_first_copy_imported_is_there_in_later_ones(forked):
    assert forked["ready"]
    assert "xml.dom.minidom" in forked["modules"]
    assert (seen(forked, "recorded")["ahead"], seen(forked)["ahead"]) == (False, True)


def test_it_is_customized_by_its_import_path_before_its_own_folder_is_on_it(forked):
    assert forked["customized"] == {"output": "/app/site/coverage.py\n", "status": 0}


def test_what_the_first_copy_imports_beside_that_is_noted(forked):
    assert "colorsys" in forked["later"]


def test_a_copy_that_its_supervisor_has_not_heard_of_does_nothing(forked):
    assert forked["unheard"] == {"told": True, "output": "", "status": 127}


def test_a_server_hears_of_copies_that_fail_from_whoever_has_the_token(forked):
    assert forked["failures"] == ["a fork exited with status 1"]


def test_it_has_the_rights_of_a_service_and_the_handlers_of_an_interpreter(forked):
    found = seen(forked)
    assert found["capabilities"] == "00000000a80425fb"
    interrupt, pipe, end = found["handlers"]
    assert "default_int_handler" in interrupt
    assert (int(pipe), int(end)) == (signal.SIG_IGN, signal.SIG_DFL)


def test_it_runs_as_the_user_that_was_asked_for(forked):
    assert seen(forked)["ids"] == [0, 0]
    assert seen(forked, "user")["ids"] == [1234, 1234]


def test_its_temporary_folder_is_the_rooms(forked):
    assert seen(forked)["tmp"] == "/tmp"


def test_random_numbers_differ_from_copy_to_copy(forked):
    one, other = (forked[name]["output"].split() for name in ("chance", "again"))
    assert [mine == theirs for mine, theirs in zip(one, other, strict=True)][:4] == [False] * 4


def test_the_seed_of_hashes_is_the_same_in_all_copies(forked):
    one, other = (forked[name]["output"].split() for name in ("chance", "again"))
    assert one[4] == other[4]


def test_nothing_keeps_the_number_or_the_threads_of_the_server(forked):
    assert forked["numbers"]["output"] == "1 1 1 True 1 1 True\n"


def test_its_status_is_that_of_an_interpreter(forked):
    statuses = {name: forked[name]["status"] for name in ("status", "words", "error", "interrupt")}
    assert statuses == {"status": 7, "words": 1, "error": 1, "interrupt": 128 + 2}
    assert forked["words"]["output"] == "no luck\n"


def test_an_error_is_told_with_the_frames_of_the_program_alone(forked):
    told = forked["error"]["output"]
    assert told.startswith('Traceback (most recent call last):\n  File "error.py", line 3')
    assert told.endswith("ValueError: wrong\n")
    assert "stackproof" not in told


def test_its_threads_are_waited_for_and_its_last_words_are_called(forked):
    assert forked["end"]["output"] == "main\nthread\nat exit\n"


def test_threads_event_loops_and_processes_work_in_it(forked):
    assert forked["threads"]["output"] == "5 [1]\n"
    assert forked["spawned"]["output"] == "/app\n"
    assert forked["child"]["output"] == "5\n"


def test_a_copy_in_another_environment_is_refused_if_an_import_has_read_of_it(forked):
    assert "xml.sax" in forked["other environment"]
    assert "reads PY_SAX_PARSER" in forked["other environment"]
    assert "a library may have read LC_ALL" in forked["other locale"]
    assert "a library may have read TZ" in forked["other zone"]
    assert forked["harmless"]["status"] == 7


def test_whoever_has_not_the_token_is_not_served(forked):
    assert forked["wrong token"].startswith("no fork server answers")


def test_a_server_that_has_gone_is_named(forked):
    assert forked["no server"].startswith("no fork server answers: ")


def test_what_keeps_a_program_from_beginning_is_told_as_of_a_new_one(forked):
    assert "/nowhere" in forked["missing folder"]


def test_the_standard_library_is_imported_without_a_fault(forked):
    assert forked["faults"] == []
