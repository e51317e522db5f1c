"""Spans of time as a person reads them."""

from __future__ import annotations


def spoken(seconds: float) -> str:
    """Return a span in its largest unit, as ``3 h``; a clock that went back gives ``0 s``."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"
