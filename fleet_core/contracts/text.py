"""What a device or a person wrote, made safe to show: bounded, and without terminal control."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, limit: int = 1024) -> str:
    """Return the text on one line of at most ``limit`` characters, inert in a terminal.

    Control characters, escapes, line breaks, bidirectional overrides and other format characters
    are replaced one by one; what was cut off is marked with an ellipsis.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\t\n\r" else REPLACEMENT for char in text
    )


def printable_lines(text: str, *, limit_lines: int = 200, limit_columns: int = 4096) -> list[str]:
    """Return the last lines of a text, each made safe by `printable`."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [printable(line.expandtabs(), limit_columns) for line in lines[-limit_lines:]]


def clip_utf8(text: str, limit_bytes: int) -> str:
    """Return the longest end of the text that fits into ``limit_bytes`` of UTF-8.

    The end is kept, since the last lines of a log say what went wrong.
    """
    raw = text.encode(errors="replace")
    if len(raw) <= limit_bytes:
        return raw.decode()
    return raw[len(raw) - limit_bytes :].decode(errors="ignore")
