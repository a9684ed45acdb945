"""No secret leaves a supervisor: not in logs, however lines are cut, nor in answers and events."""

import json

import pytest
from tests.secret_forms import SPELLINGS, encoded, survivors

from stackproof.engines.process.capture import CUT, LONGEST_LINE
from stackproof.readiness.probes import CommandProbe
from stackproof.waiting import wait_until
from stackproof_redaction import MASK

SECRET = "canary <p@ss/w'ord&\"+%41\\n"
KEY = "-----BEGIN KEY-----\nab\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----"
READY = "print('ready', flush=True)\nimport time\ntime.sleep(600)\n"


def everything(rig):
    """All that a run folder holds, and all that its supervisor answers, as one text."""
    files = [path.read_text(errors="replace") for path in rig.run.path.rglob("*") if path.is_file()]
    return "\n".join([*files, json.dumps(rig.control.details(), ensure_ascii=False)])


def test_no_form_of_a_secret_is_kept_of_what_a_service_writes(rig):
    rig.control.configure([SECRET])
    forms = [form(SECRET) for form in SPELLINGS.values()]
    forms += encoded(SECRET, b"user:").values()
    code = "".join(f"print({form!r}, flush=True)\n" for form in forms) + READY
    rig.start(rig.ready_spec("api", code))
    assert survivors(SECRET, everything(rig)) == []
    assert rig.log("api").count(MASK) >= len(forms)


@pytest.mark.parametrize("before", [LONGEST_LINE - 20, LONGEST_LINE - 1, 64 * 1024 - 10, 200_000])
@pytest.mark.parametrize("ends", [True, False])
def test_a_secret_is_masked_where_a_long_line_is_cut(rig, before, ends):
    rig.control.configure([SECRET])
    code = (
        "import os, time\n"
        f"text = b'.' * {before} + {SECRET.encode()!r} + b'.' * 100_000 + {b'+' * ends!r}\n"
        "while text:\n    text = text[os.write(1, text[:7001]):]\n"
    )
    rig.start(rig.spec("long", code, one_shot=True))
    wait_until(lambda: "long completed" in states(rig), timeout=20, what="it has ended")
    lines = [line.split(" ", 2)[2] for line in rig.log("long").splitlines()]
    assert max(map(len, lines)) == LONGEST_LINE
    assert all(line.endswith(CUT) for line in lines[:-1])
    text = "".join(line.removesuffix(CUT) for line in lines)
    assert text == "." * before + MASK + "." * 100_000 + ("+" if ends else "")


def states(rig):
    return [f"{one.name} {one.state}" for one in rig.control.status()]


def test_each_line_of_a_secret_is_masked_also_when_they_are_written_one_by_one(rig):
    rig.control.configure([KEY])
    code = f"import time\nfor one in {KEY!r}.splitlines():\n    print(one); time.sleep(0.01)\n"
    rig.start(rig.ready_spec("api", code + READY))
    texts = [line.split(" ", 2)[2] for line in rig.log("api").splitlines()]
    assert texts == [MASK, "ab", MASK, MASK, "ready"] or texts == [MASK] * 4 + ["ready"]


def test_what_a_health_check_answers_is_masked(rig):
    rig.control.configure([SECRET])
    probe = CommandProbe(("/bin/sh", "-c", f"echo {json.dumps(json.dumps(SECRET))}; exit 1"))
    rig.control.start([rig.spec("api", READY, probe=probe)])
    wait_until(lambda: MASK in rig.control.status()[0].detail, timeout=20, what="an answer")
    assert survivors(SECRET, everything(rig)) == []


def test_secrets_that_become_known_later_are_masked_in_running_services_too(rig):
    rig.control.configure(["first-secret"])
    told = rig.run.path / "told"
    code = (
        "import os, time\nprint('ready', flush=True)\n"
        f"while not os.path.exists({str(told)!r}): time.sleep(0.01)\n"
        f"print({SECRET!r}, 'first-secret', flush=True)\ntime.sleep(600)\n"
    )
    rig.start(rig.ready_spec("api", code))
    rig.control.configure([SECRET])
    told.touch()
    wait_until(lambda: "*" in rig.log("api"), timeout=20, what="the service writes")
    assert rig.log("api").endswith(f" {MASK} {MASK}\n")


def test_the_supervisors_own_log_is_masked(rig):
    rig.control.configure([SECRET])
    rig.control.start([rig.spec("api", READY, cwd=f"/nonexistent/{SECRET}")])
    wait_until(lambda: states(rig) == ["api failed"], timeout=20, what="the failure")
    assert survivors(SECRET, everything(rig)) == []
