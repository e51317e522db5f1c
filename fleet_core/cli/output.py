"""Standard output is data, standard error is narration; a reader that goes away is no error."""

from __future__ import annotations

import json
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP: Final = "   "
MAX_COLUMN: Final = 60
"""A longer value pushes the columns of its own line only."""


class Output:
    """Writes lines of data. After the reader has gone, it writes nothing, and tells so."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self.closed = False
        """The reader has gone: who only shows things can end."""

    def reader_is_gone(self) -> bool:
        """Whether nobody reads any more; a pipe tells so before anything more is written."""
        if not self.closed:
            with suppress(OSError, ValueError):  # a stream in memory has no reader that can go
                poll = select.poll()
                poll.register(self._stream.fileno(), 0)
                if any(event & select.POLLERR for _, event in poll.poll(0)):
                    self.closed = True
                    _point_away(self._stream)
        return self.closed

    def line(self, text: str) -> None:
        """Write one line, at once."""
        self.lines((text,))

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines."""
        if self.closed:
            return
        try:
            for line in lines:
                self._stream.write(f"{line}\n")
            self._stream.flush()
        except BrokenPipeError:
            self.closed = True
            _point_away(self._stream)

    def raw(self, text: str) -> None:
        """Write a text byte for byte, whatever it contains: never to a terminal."""
        if self.closed:
            return
        try:
            self._stream.flush()
            self._stream.buffer.write(text.encode(errors="replace"))
            self._stream.flush()
        except BrokenPipeError:
            self.closed = True
            _point_away(self._stream)

    @property
    def is_terminal(self) -> bool:
        """Whether a person's terminal reads it."""
        return self._stream.isatty()

    def json(self, value: Any) -> None:
        """Write a value as JSON; characters beyond ASCII are escaped, so nothing acts up."""
        self.line(json.dumps(value, indent=2))

    def json_line(self, value: Any) -> None:
        """Write a value as one line of JSON."""
        self.line(json.dumps(value, separators=(",", ":")))

    def yaml(self, values: Iterable[Any]) -> None:
        """Write values as YAML, each as a document of its own."""
        from fleet_core.operations.yaml_text import to_yaml  # noqa: PLC0415 - yaml is slow

        for number, value in enumerate(values):
            if number:
                self.line("---")
            self.line(to_yaml(value).rstrip("\n"))


def _point_away(stream: TextIO) -> None:
    """Let what is buffered go nowhere, so that the interpreter's last flush does not fail."""
    with suppress(OSError, ValueError):
        away = os.open(os.devnull, os.O_WRONLY)
        os.dup2(away, stream.fileno())
        os.close(away)


def narrate(text: str) -> None:
    """Tell the person something; nobody may be listening."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _point_away(sys.stderr)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the last column is as wide as it needs to be."""
    widths = [len(header) for header in headers]
    for row in rows:
        for index, cell in enumerate(row):
            widths[index] = max(widths[index], min(len(cell), MAX_COLUMN))
    widths[-1] = 0
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (headers, *rows)
    ]
