"""Where nothing is lost by it, `down` kills services whose data it removes."""

import pytest

from stackproof.engines.process.engine import ProcessEngine
from stackproof.lifecycle.ending import is_disposable

ENDS = """
import signal, sys, time
def end(*_):
    open(folder + "/ended", "w").close()
    sys.exit()
signal.signal(signal.SIGTERM, end)
"""


@pytest.fixture
def ways(monkeypatch):
    """Whether runs were ended as disposable ones."""
    found = []
    shut_down = ProcessEngine.shut_down

    def spy(*arguments, disposable=False):
        found.append(disposable)
        shut_down(*arguments, disposable=disposable)

    monkeypatch.setattr(ProcessEngine, "shut_down", spy)
    return found


@pytest.mark.parametrize(
    ("line", "disposable"),
    [
        ("", True),
        ("mounts: {./uploads: share}", False),
        ("external: [payments.example]", False),
        ("coverage: true", False),
    ],
)
def test_it_is_so_unless_services_write_to_what_stays(project, line, disposable):
    project.configure(line)
    assert is_disposable(project.resolved()) is disposable


def test_services_are_stopped_in_order_where_what_they_write_or_their_data_stay(project, ways):
    first = "folder, file = sys.argv[1:]"
    text = (project.folder / "app/write.py").read_text()
    project.write("app/write.py", text.replace(first, first + ENDS))
    project.configure("mounts: {./uploads: share}")
    project.log(project.up().stack)
    project.up(fresh=True)
    assert (project.folder / "uploads" / "ended").exists()
    project.configure("")
    project.down(keep_data=True)
    project.up()
    project.down()
    assert ways == [False, False, True]
