"""What a room gets for a server that this machine starts in it."""

from types import SimpleNamespace

from stackproof.engines.process.world.furnishing import of_server


def test_a_shell_that_starts_a_server_brings_nothing_but_the_servers_programs(tmp_path):
    bindir, run = tmp_path / "root/usr/sbin", SimpleNamespace(path=tmp_path / "run")
    bindir.mkdir(parents=True)
    script = "/usr/bin/envsubst < /in > /out && nginx " + "-g x " * 100
    found = set(of_server(bindir, ("/bin/bash", "-c", script), {}, run))
    same = set(of_server(bindir, (str(bindir / "nginx"),), {}, run))
    assert found == same >= {bindir, bindir.parent, tmp_path / "root"}
