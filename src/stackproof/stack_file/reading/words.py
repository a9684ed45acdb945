"""A command line in one text → its words, as Compose splits it.

Source: github.com/mattn/go-shellwords, `Parser.Parse`, which Compose uses: quotes and backslashes
as in a shell, except that a backslash escapes any letter in double quotes too; nothing is expanded;
the line ends at the first unquoted `;`, `&`, `|`, `<` or `>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_BLANKS = " \t\r\n"
_ENDS = ";&|<>"


@dataclass
class _Line:
    """What has been read so far; `word` is None between words."""

    words: list[str] = field(default_factory=list)
    word: list[str] | None = None
    quote: str = ""
    escaped: bool = False

    def add(self, letter: str) -> None:
        self.word = self.word or []
        self.word.append(letter)

    def end_word(self) -> None:
        if self.word is not None:
            self.words.append("".join(self.word))
        self.word = None


def split_words(text: str) -> tuple[str, ...]:
    """The words of a command line.

    Raises:
        ValueError: If a quote, a backtick or a bracket has no partner, or nothing follows a
            backslash.
    """
    line = _Line()
    for letter in text:
        if line.escaped:
            line.escaped = False
            line.add(letter)
        elif letter == "\\" and line.quote != "'":
            line.escaped = True
        elif letter in _BLANKS and not line.quote:
            line.end_word()
        elif not line.quote and letter in _ENDS:
            _drop_descriptor(line, letter)
            break
        else:
            _take(line, letter)
    if line.escaped or line.quote:
        raise ValueError("it ends inside a quote, or after a backslash")
    line.end_word()
    return tuple(line.words)


def _drop_descriptor(line: _Line, letter: str) -> None:
    """In `2>file` the number belongs to the redirection."""
    if letter == ">" and line.word and line.word[0].isdecimal():
        line.word = None


def _take(line: _Line, letter: str) -> None:
    if letter in "'\"" and line.quote in {"", letter}:
        line.word = line.word or []
        line.quote = "" if line.quote else letter
        return
    if letter == "`" and line.quote in {"", "`"}:
        line.quote = "" if line.quote else "`"
    elif letter == "(" and not line.quote:
        if (line.word or [])[-1:] != ["$"]:
            raise ValueError("a bracket stands outside quotes")
        line.quote = ")"
    elif letter == ")" and line.quote in {"", ")"}:
        if not line.quote:
            raise ValueError("a bracket is closed that was not opened")
        line.quote = ""
    line.add(letter)
