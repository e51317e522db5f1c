"""Values written as YAML for people: readable, faithful, and inert in a terminal."""

from __future__ import annotations

import difflib
from typing import Any, Final

import yaml

from fleet_core.contracts.text import printable
from fleet_core.operations.yaml_scalars import is_plain_text

_WIDTH: Final = 100
DIFF_CONTEXT_LINES: Final = 3
DIFF_MAX_LINES: Final = 2_000
_LINE_MAX_CHARS: Final = 4_096


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # chosen at run time
    """Writes texts of several lines as blocks, so that scripts stay readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif not is_plain_text(text):
        # PyYAML knows YAML 1.1 and would leave `1e100` bare, which YAML 1.2 reads as a number.
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.ignore_aliases = lambda *_: True


def to_yaml(value: Any) -> str:
    """Return a JSON value as YAML that reads back as the same value.

    Letters of all scripts are written as they are, unless something in the value could do harm in
    a terminal: then everything beyond ASCII is escaped.
    """
    text = _dump(value, allow_unicode=True)
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return _dump(value, allow_unicode=False)


def _dump(value: Any, *, allow_unicode: bool) -> str:
    written: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=_WIDTH
    )
    return written


def yaml_diff(before: Any | None, after: Any | None, name: str) -> tuple[str, ...]:
    """Return a unified diff of two values as YAML, each line safe to show; empty if equal.

    None stands for nothing: the whole of the other side is added or removed.
    """
    old = to_yaml(before).splitlines() if before is not None else []
    new = to_yaml(after).splitlines() if after is not None else []
    lines = [
        printable(line, _LINE_MAX_CHARS)
        for line in difflib.unified_diff(
            old,
            new,
            fromfile=f"{name} (stored)" if old else "(nothing)",
            tofile=f"{name} (new)" if new else "(nothing)",
            n=DIFF_CONTEXT_LINES,
            lineterm="",
        )
    ]
    if len(lines) > DIFF_MAX_LINES:
        left_out = len(lines) - DIFF_MAX_LINES
        lines = [*lines[:DIFF_MAX_LINES], f"… {left_out:,} more lines"]
    return tuple(lines)
