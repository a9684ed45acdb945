"""A virtualenv that services of other users read."""

import os
import stat

from stackproof.engines.process.python.readable import make_readable


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_every_user_reads_it_and_what_it_was_linked_to_stays_closed(tmp_path):
    cached, made = tmp_path / "cached.py", tmp_path / "made"
    (made / "lib").mkdir(parents=True)
    cached.write_text("text")
    program, own = made / "python", made / "lib" / "own.py"
    for path, given in ((cached, 0o600), (program, 0o700), (own, 0o640)):
        path.touch()
        path.chmod(given)
    os.link(cached, made / "lib" / "linked.py")
    (made / "lib").chmod(0o700)
    (made / "missing").symlink_to(tmp_path / "nowhere")

    make_readable(made)

    assert (mode(program), mode(own), mode(made / "lib")) == (0o755, 0o644, 0o755)
    assert (mode(made / "lib" / "linked.py"), mode(cached)) == (0o644, 0o600)
    assert (made / "lib" / "linked.py").read_text() == "text"


def test_it_is_looked_through_once(tmp_path):
    make_readable(tmp_path)
    (tmp_path / "later").touch(0o600)
    make_readable(tmp_path)
    assert mode(tmp_path / "later") == 0o600
