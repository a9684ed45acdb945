"""Changes as the kernel tells of them."""

from stackproof.lifecycle.watching.events import FileEvents
from stackproof.waiting import wait_until


def test_no_save_is_lost_before_it_is_asked_for_nor_one_by_another_name_first(tmp_path):
    (tmp_path / "below").mkdir()
    events = FileEvents([tmp_path, tmp_path / "below", tmp_path / "missing"])
    paths = {tmp_path / "a.py", tmp_path / "below" / "b.py", tmp_path / "c.py"}
    for path in paths:
        path.write_text("1")
        (path.parent / "new").write_text("2")
        (path.parent / "new").rename(path)
    found = wait_until(events.next, timeout=30, what="a change")
    while more := events.next():
        found |= more
    assert paths <= found
    events.close()
