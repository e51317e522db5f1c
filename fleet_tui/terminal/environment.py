"""What the environment says of the terminal, and what Textual must be told before its import.

Imports nothing heavy: the program looks here before it decides to start the UI at all.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

EXIT_NO_TERMINAL = 2
"""The exit code of wrong use, as everywhere in fleet."""

FRAMES_PER_SECOND = "120"
"""Measured on Textual 8.2.8: takes the slowest key to paint from 32 ms (at 60) to 13 ms."""


class ColorDepth(Enum):
    """How many colours the terminal can show; the values are Textual's names for them."""

    TRUECOLOR = "truecolor"
    EIGHT_BIT = "256"
    SIXTEEN = "standard"
    NONE = "none"
    """Colours are not wanted: https://no-color.org."""


_TERMS_WITH_256 = ("256color", "kitty", "alacritty", "foot", "ghostty", "wezterm")


def color_depth(environ: Mapping[str, str]) -> ColorDepth:
    """Return what the environment promises.

    OpenSSH does not pass COLORTERM, so most sessions over SSH have 256 colours.
    """
    term = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR"):
        return ColorDepth.NONE
    if environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or term.endswith("-direct"):
        return ColorDepth.TRUECOLOR
    if any(name in term for name in _TERMS_WITH_256):
        return ColorDepth.EIGHT_BIT
    return ColorDepth.SIXTEEN


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is at the other end of an SSH connection."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Set what Textual reads when it is imported; what is set already is left as it is."""
    if environ.get("NO_COLOR") == "":
        # Empty it asks for nothing, says https://no-color.org; Textual would take it for a wish.
        del environ["NO_COLOR"]
    depth = color_depth(environ)
    environ.setdefault("TEXTUAL_FPS", FRAMES_PER_SECOND)
    if depth is not ColorDepth.NONE:
        # Rich would take any TERM that it does not know for one of 16 colours.
        environ.setdefault("TEXTUAL_COLOR_SYSTEM", depth.value)


def check_terminal(environ: Mapping[str, str]) -> None:
    """Refuse to start where there is no terminal to draw on.

    Textual would start all the same, and spin at 98 % of a core once its input has ended.

    Raises:
        InvalidInputError: standard input or output is no terminal, or TERM is unset or ``dumb``.
    """
    for name, stream in (("input", sys.__stdin__), ("output", sys.__stdout__)):
        if stream is None or stream.closed or not os.isatty(stream.fileno()):
            raise InvalidInputError(
                f"standard {name} is no terminal",
                remedy="run it in a terminal, with `ssh -t` over SSH, or use `fleet get devices`",
            )
    term = environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        said = f"TERM is {term!r}" if term else "TERM is not set"
        raise InvalidInputError(
            f"the terminal cannot be drawn on: {said}",
            remedy="set TERM, for example to xterm-256color, or use `fleet get devices`",
        )
