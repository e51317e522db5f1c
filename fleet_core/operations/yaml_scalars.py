"""What an unquoted YAML scalar means, by the YAML 1.2 core schema.

``yes``, ``on``, ``22:22`` are text, as people mean them, and ``010`` is ten. Dates, which JSON
cannot carry, are refused instead of being guessed at.
"""

from __future__ import annotations

import math
import re
from typing import Final

from fleet_core.errors import InvalidInputError

_INT: Final = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}", re.ASCII)
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    re.ASCII,
)
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ]+[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?", re.ASCII
)
_CONSTANTS: Final = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_FINITE: Final = float("nan")


def is_plain_text(text: str) -> bool:
    """Tell whether a text means itself without quotes."""
    try:
        return plain_value(text) == text
    except InvalidInputError:
        return False


def plain_value(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar stands for.

    Raises:
        InvalidInputError: a date, or a number that JSON has no place for.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = _NOT_FINITE if text.lstrip("+-")[1:2] in "iInN" else float(text)
        if not math.isfinite(number):
            said = f"{text[:40]} is no JSON number"
            raise InvalidInputError(said, expected="a finite number")
        return number
    if _DATE.fullmatch(text):
        raise InvalidInputError(f"{text[:40]!r} is a date", expected="text: quote it")
    return text
