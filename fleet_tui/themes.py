"""The looks: one restrained dark theme for each depth of colour that a terminal may have.

Colour carries meaning only for states (green, amber, red), and never alone: a state is always a
glyph and a word too. One accent marks where one is; what is secondary is dim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from fleet_tui.terminal.environment import ColorDepth

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLE_NAMES: Final = (
    "text",
    "strong",
    "dim",
    "accent",
    "title",
    "ok",
    "warning",
    "error",
    "unknown",
    "online",
    "stale",
    "offline",
    "pending",
    "failed",
)
"""What cells may be styled with. ``online``, ``stale``… are the states' names for their colours."""

_STATE_STYLES: Final = {
    "online": "ok",
    "stale": "warning",
    "offline": "error",
    "pending": "warning",
    "failed": "error",
}


class RowState(Enum):
    """What a line is, beside what its cells say."""

    NORMAL = "normal"
    CURSOR = "cursor"
    BLURRED_CURSOR = "blurred-cursor"
    """The cursor of a table that does not have the focus."""
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme, as Rich and Textual both read them (``#rrggbb``)."""

    background: str
    surface: str
    panel: str
    cursor: str
    blurred_cursor: str
    text: str
    dim: str
    faint: str
    """Of what has gone stale, and of lines between things; not for text that must be read."""
    accent: str
    ok: str
    warning: str
    error: str


TRUECOLOR_PALETTE: Final = Palette(
    background="#10141a",
    surface="#161b23",
    panel="#1e2530",
    cursor="#1c3146",
    blurred_cursor="#1e2530",
    text="#d3dae3",
    dim="#909cac",
    faint="#5c6775",
    accent="#6cb6ff",
    ok="#57c97a",
    warning="#e0b04a",
    error="#ff8078",
)
EIGHT_BIT_PALETTE: Final = Palette(
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    cursor="#303030",
    blurred_cursor="#262626",
    text="#d7d7d7",
    dim="#adadad",
    faint="#626262",
    accent="#5fafff",
    ok="#5fd787",
    warning="#d7af5f",
    error="#ff8787",
)
"""Colours that Rich finds the right neighbours for in the 256-colour table.

It takes a light grey to the next darker one of the table: these come out as 252 and 248.
"""


def _rgb_theme(name: str, palette: Palette) -> Theme:
    return Theme(
        name=name,
        primary=palette.accent,
        secondary=palette.dim,
        accent=palette.accent,
        success=palette.ok,
        warning=palette.warning,
        error=palette.error,
        foreground=palette.text,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        variables={
            "dim": palette.dim,
            "faint": palette.faint,
            "cursor": palette.cursor,
            "border": palette.faint,
            "border-blurred": palette.panel,
            "block-cursor-background": palette.cursor,
            "block-cursor-foreground": palette.text,
            "block-cursor-text-style": "bold",
            "scrollbar": palette.panel,
            "scrollbar-hover": palette.faint,
            "scrollbar-active": palette.faint,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
            "scrollbar-corner-color": palette.background,
            "footer-key-foreground": palette.accent,
            "input-cursor-background": palette.text,
            "input-cursor-foreground": palette.background,
            "input-selection-background": palette.cursor,
        },
    )


_ANSI_VARIABLES: Final = BUILTIN_THEMES["ansi-dark"].variables | {
    "dim": "ansi_default",
    "faint": "ansi_default",
    "cursor": "ansi_default",
    "border": "ansi_default",
    "border-blurred": "ansi_default",
    "scrollbar": "ansi_default",
    "scrollbar-background": "ansi_default",
    "footer-key-foreground": "ansi_cyan",
}

_THEMES: Final = {
    ColorDepth.TRUECOLOR: _rgb_theme("fleet-truecolor", TRUECOLOR_PALETTE),
    ColorDepth.EIGHT_BIT: _rgb_theme("fleet-256", EIGHT_BIT_PALETTE),
    ColorDepth.SIXTEEN: Theme(
        name="fleet-16",
        ansi=True,
        primary="ansi_cyan",
        secondary="ansi_default",
        accent="ansi_cyan",
        success="ansi_green",
        warning="ansi_yellow",
        error="ansi_red",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables=_ANSI_VARIABLES,
    ),
    ColorDepth.NONE: Theme(
        name="fleet-mono",
        ansi=True,
        primary="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        variables=_ANSI_VARIABLES | {"footer-key-foreground": "ansi_default"},
    ),
}


def theme_for(depth: ColorDepth) -> Theme:
    """Return the theme for a depth of colour; register it and set it by its ``name``."""
    return _THEMES[depth]


def themes() -> tuple[Theme, ...]:
    """Return all of the themes, to be registered."""
    return tuple(_THEMES.values())


class StyleMap:
    """Rich styles by name and kind of line, for one theme.

    The same style is the same object, so that neighbours are merged by identity.
    """

    def __init__(self, styles: Mapping[RowState, Mapping[str, Style]]) -> None:
        self._styles = styles

    def __getitem__(self, name: str) -> Style:
        """Return a style for text outside of tables; an unknown name reads as ``text``."""
        return self.get(name)

    def get(self, name: str, row: RowState = RowState.NORMAL) -> Style:
        """Return the style of a cell in a kind of line; an unknown name reads as ``text``."""
        styles = self._styles[row]
        return styles.get(name) or styles["text"]


@cache
def styles_for(theme_name: str, *, stale: bool = False) -> StyleMap:
    """Return the styles of a theme by its name; ``stale`` dims all but what is an alarm.

    A theme that is not ours gets the styles for 16 colours, which sit on any background.
    """
    if theme_name == "fleet-truecolor":
        return _rgb_styles(TRUECOLOR_PALETTE, stale=stale)
    if theme_name == "fleet-256":
        return _rgb_styles(EIGHT_BIT_PALETTE, stale=stale)
    return _ansi_styles(colors=theme_name != "fleet-mono", stale=stale)


def _with_states(styles: dict[str, Style]) -> dict[str, Style]:
    for state, color in _STATE_STYLES.items():
        styles[state] = styles[color]
    return styles


def _rgb_styles(palette: Palette, *, stale: bool) -> StyleMap:
    if stale:
        palette = replace(
            palette,
            text=palette.faint,
            dim=palette.faint,
            accent=palette.dim,
            ok=_blend(palette.ok, palette.background),
            warning=_blend(palette.warning, palette.background),
            error=_blend(palette.error, palette.background),
        )

    def on(background: str, *, bold: bool = False) -> dict[str, Style]:
        def style(color: str, *, strong: bool = bold) -> Style:
            return Style(color=color, bgcolor=background, bold=strong or None)

        return _with_states(
            {
                "text": style(palette.text),
                "strong": style(palette.text, strong=True),
                "dim": style(palette.dim),
                "accent": style(palette.accent),
                "title": style(palette.accent, strong=True),
                "ok": style(palette.ok),
                "warning": style(palette.warning),
                "error": style(palette.error),
                "unknown": style(palette.dim),
            }
        )

    return StyleMap(
        {
            RowState.NORMAL: on(palette.background),
            RowState.CURSOR: on(palette.cursor, bold=True),
            RowState.BLURRED_CURSOR: on(palette.blurred_cursor),
            RowState.HEADER: on(palette.surface),
        }
    )


def _ansi_styles(*, colors: bool, stale: bool) -> StyleMap:
    def style(color: str, *, bold: bool = False, dim: bool = False) -> Style:
        return Style(
            color=color if colors else "default",
            bgcolor="default",
            bold=bold or None,
            dim=(dim or stale) or None,
        )

    normal = _with_states(
        {
            "text": style("default"),
            "strong": style("default", bold=True),
            "dim": style("default", dim=True),
            "accent": style("cyan"),
            "title": style("cyan", bold=True),
            "ok": style("green"),
            "warning": style("yellow"),
            "error": style("red", bold=True),
            "unknown": style("default", dim=True),
        }
    )
    # Reversed, a line has the terminal's own two colours: readable whatever they are.
    cursor = Style(color="default", bgcolor="default", reverse=True)
    header = Style(color="default", bgcolor="default", bold=True)
    blurred = Style(color="default", bgcolor="default", underline=True)
    return StyleMap(
        {
            RowState.NORMAL: normal,
            RowState.CURSOR: dict.fromkeys(normal, cursor),
            RowState.BLURRED_CURSOR: dict.fromkeys(normal, blurred),
            RowState.HEADER: dict.fromkeys(normal, header),
        }
    )


def _blend(color: str, background: str, share: float = 0.55) -> str:
    """Return a colour between the two; ``share`` of the first."""
    front, back = (Color.parse(text).get_truecolor() for text in (color, background))
    mixed = (
        round(one * share + other * (1 - share)) for one, other in zip(front, back, strict=True)
    )
    red, green, blue = mixed
    return f"#{red:02x}{green:02x}{blue:02x}"


class Glyphs(StrEnum):
    """The glyphs of states and marks; each stands beside a word."""

    ONLINE = "●"
    STALE = "◐"
    OFFLINE = "○"
    UNKNOWN = "?"
    CURSOR = "▸"
    MARK = "◆"
    ASCENDING = "↑"
    DESCENDING = "↓"
    MORE_LEFT = "◂"
    MORE_RIGHT = "▸"
