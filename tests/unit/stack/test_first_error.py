"""The first error of a program, in the forms in which languages and loggers write it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.stack.first_error import LONGEST_TRACE, first_error

PYTHON = """up
Traceback (most recent call last):
  File "/app/shop/main.py", line 41, in price
    return PRICES[name]
           ~~~~~~^^^^^^
  File "/usr/lib/python3.11/site-packages/web/routing.py", line 7, in call
    return handler()
KeyError: 'pear'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/shop/main.py", line 90, in answer
    respond()
RuntimeError: no answer"""

GROUP = """ERROR:    Exception in ASGI application
  + Exception Group Traceback (most recent call last):
  |   File "/usr/lib/python3.11/site-packages/web/server.py", line 12, in serve
  |     await call()
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/shop/main.py", line 41, in price
    |     return PRICES[name]
    | KeyError: 'pear'
    +------------------------------------"""

CELERY = """[2026-11-26 19:00:00,000: ERROR/Worker-1] Task price raised: KeyError('pear')
Traceback (most recent call last):
  File "/app/shop/tasks.py", line 3, in price
    return PRICES[name]
KeyError: 'pear\'"""

JAVA = """Exception in thread "main" java.lang.IllegalStateException: no price
\tat com.shop.Main.main(Main.java:5)
Caused by: java.sql.SQLException: no such table
\tat com.shop.Prices.find(Prices.java:77)
\t... 1 more"""

NODE = """/app/src/index.js:10
    throw new TypeError("x is not a function")
    ^

TypeError: x is not a function
    at node_modules/express/lib/router.js:3:1
    at price (/app/src/index.js:10:5)
    at node:internal/main/run_main_module:23:47"""

GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
runtime.goPanicIndex(0x5)
\t/usr/local/go/src/runtime/panic.go:114 +0x74
main.price()
\t/app/main.go:12 +0x1d"""

RUBY = "/app/main.rb:3:in `price': undefined method `bar' for nil (NoMethodError)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PYTHON, "KeyError: 'pear' (shop/main.py:41)"),
        (GROUP, "KeyError: 'pear' (shop/main.py:41)"),
        (CELERY, "KeyError: 'pear' (shop/tasks.py:3)"),
        (JAVA, "java.sql.SQLException: no such table (Prices.java:77)"),
        (NODE, "TypeError: x is not a function (src/index.js:10)"),
        (GO, "panic: runtime error: index out of range [5] with length 3 (main.go:12)"),
        (RUBY, "NoMethodError: undefined method `bar' for nil (main.rb:3)"),
    ],
)
def test_a_traceback_gives_its_cause_and_the_innermost_line_of_the_program_itself(text, told):
    assert str(first_error(text.split("\n"), ["/app"])) == told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('2026-11-26 19:00:00 UTC [44] ERROR:  relation "x" is missing', 'relation "x" is missing'),
        ("2026/11/26 19:00:00 [error] 7#7: connect() failed", "7#7: connect() failed"),
        ("CRITICAL:root:no disk left", "root:no disk left"),
        ('level=error msg="could not connect" host=db', "could not connect"),
        ('{"level": "error", "msg": "boom"}', "boom"),
        ('{"severity": "CRITICAL", "message": "no disk left"}', "no disk left"),
    ],
)
def test_a_line_with_the_level_of_an_error_gives_its_message(line, told):
    assert str(first_error(["started", line, "ERROR: a later one"])) == told


def test_a_traceback_inside_json_is_read():
    entry = {"level": "error", "event": "request failed", "exception": PYTHON}
    assert str(first_error([json.dumps(entry)], ["/app"])) == "KeyError: 'pear' (shop/main.py:41)"


@pytest.mark.parametrize(
    "line",
    ["no error found here", "we saw an ERROR in x today", "GET /errors/ERROR 200", "0 errors",
     '{"level": "info", "msg": "error budget"}', "Traceback (most recent call last):"],
)  # fmt: skip
def test_a_line_that_only_speaks_of_errors_is_none(line):
    assert first_error([line, "up"]) is None


PIECES = st.sampled_from([
    "Traceback (most recent call last):", '  File "a.py", line 1, in b', "    source",
    "KeyError: 1", "ERROR x", "panic: x",
    '{"level": "error", "exception": "Traceback (most recent call last):"}',
    "  + Exception Group Traceback (most recent call last):", "XError", "\tat a(B.java:1)",
    "{" * 50, '{"level": ["error"]}', "[1]", '{"level": "error", "msg": {"a": 1}}',
])  # fmt: skip


@given(st.lists(PIECES | st.text(), max_size=30))
def test_no_output_makes_it_fail(lines):
    found = first_error(lines)
    assert found is None or 0 <= found.line < len(lines)


def test_each_line_is_looked_at_a_bounded_number_of_times():
    class Counted(list):
        looked = 0

        def __getitem__(self, index):
            self.looked += 1
            return super().__getitem__(index)

        def __iter__(self):
            for line in super().__iter__():
                self.looked += 1
                yield line

    lines = Counted(["Traceback (most recent call last):"] * 2000)
    assert first_error(lines) is None
    assert lines.looked < 2000 * (LONGEST_TRACE + 20)
