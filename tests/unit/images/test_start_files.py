"""Start-up files of database images: which are run, and how packed ones are unpacked."""

import gzip
import lzma
import subprocess

import pytest

from stackproof.engines.process.images import start_files
from stackproof.engines.process.images.start_files import INIT_FOLDER, line_of
from stackproof.errors import ConfigError

PACK = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": lambda data: (
        subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    ),
}


@pytest.fixture
def service(plan_service, tmp_path):
    return plan_service("db", 1, mounts={INIT_FOLDER: tmp_path})


@pytest.mark.parametrize("ending", PACK)
def test_packed_sql_is_run_and_a_broken_file_ends_the_start(tmp_path, ending):
    path = tmp_path / f"it's 1.sql.{ending}"
    data = PACK[ending](b"select 1;\n" * 1000)
    script = ["/bin/sh", "-c", "set -e\n" + line_of(path, "cat < {}")]
    path.write_bytes(data)
    done = subprocess.run(script, capture_output=True, check=True)
    assert done.stdout == b"select 1;\n" * 1000
    path.write_bytes(data[:-10])
    assert subprocess.run(script, capture_output=True, check=False).returncode


def test_a_packed_file_that_this_machine_cannot_unpack_is_an_error(service, tmp_path, monkeypatch):
    for name in ("2.sql.xz", "1.sql", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    found = [path.name for path in start_files.start_files(service)]
    assert found == ["1.sql", "2.sql.xz"]
    monkeypatch.setattr(start_files.shutil, "which", lambda _name: None)
    with pytest.raises(ConfigError, match=r"2\.sql\.xz of db can't be unpacked") as caught:
        start_files.start_files(service)
    assert "install xz, or unpack the file" in str(caught.value)
