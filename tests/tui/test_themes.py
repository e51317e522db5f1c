"""The themes can be read, whatever the terminal makes of their colours."""

import itertools

import pytest
from rich.color import Color, ColorSystem
from rich.style import Style

from fleet_tui.terminal.environment import ColorDepth
from fleet_tui.themes import (
    EIGHT_BIT_PALETTE,
    STYLE_NAMES,
    RowState,
    styles_for,
    theme_for,
    themes,
)

READABLE = 4.5
"""The contrast that WCAG 2.2 (1.4.3, level AA) asks of text."""
VISIBLE = 3.0
"""What it asks of large text and of graphics (1.4.11)."""
THEME_NAMES = [theme.name for theme in themes()]
COLOURED = ["fleet-truecolor", "fleet-256"]


def luminance(color: Color) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = color.get_truecolor()
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def shown(color: Color | None, theme: str) -> Color:
    """Return a colour as it arrives on a terminal that the theme is for."""
    assert color is not None
    depth = ColorSystem.EIGHT_BIT if theme == "fleet-256" else ColorSystem.TRUECOLOR
    return color.downgrade(depth)


def contrast(theme: str, style: Style) -> float:
    pair = (luminance(shown(color, theme)) for color in (style.color, style.bgcolor))
    lighter, darker = sorted(pair, reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("theme", "name", "row"), itertools.product(COLOURED, STYLE_NAMES, RowState)
)
def test_every_style_can_be_read_on_every_kind_of_line(
    theme: str, name: str, row: RowState
) -> None:
    assert contrast(theme, styles_for(theme).get(name, row)) >= READABLE


@pytest.mark.parametrize(("theme", "name"), itertools.product(COLOURED, STYLE_NAMES))
def test_what_is_stale_is_dimmer_and_still_visible(theme: str, name: str) -> None:
    stale = contrast(theme, styles_for(theme, stale=True).get(name))
    assert VISIBLE <= stale < contrast(theme, styles_for(theme).get(name))


def test_the_256_colour_table_has_room_for_all_differences() -> None:
    palette = EIGHT_BIT_PALETTE
    for group in (
        (palette.background, palette.surface, palette.panel, palette.cursor),
        (palette.text, palette.dim, palette.faint),
        (palette.ok, palette.warning, palette.error, palette.accent),
    ):
        numbers = {shown(Color.parse(text), "fleet-256").number for text in group}
        assert len(numbers) == len(group)


@pytest.mark.parametrize("theme", THEME_NAMES)
@pytest.mark.parametrize("stale", [False, True])
def test_every_theme_knows_every_style_by_name(theme: str, stale: bool) -> None:  # noqa: FBT001 -- a case
    styles = styles_for(theme, stale=stale)
    for name, row in itertools.product(STYLE_NAMES, RowState):
        assert styles.get(name, row) is styles.get(name, row)
    assert styles["no-such-style"] is styles["text"]


@pytest.mark.parametrize("theme", ["fleet-16", "fleet-mono"])
def test_with_few_colours_the_cursor_is_the_terminals_own_reversed(theme: str) -> None:
    cursor = styles_for(theme).get("failed", RowState.CURSOR)
    assert cursor.reverse
    assert cursor.color is not None
    assert cursor.color.is_default


@pytest.mark.parametrize("name", STYLE_NAMES)
def test_without_colours_nothing_is_coloured(name: str) -> None:
    for row in RowState:
        style = styles_for("fleet-mono").get(name, row)
        assert style.color is not None
        assert style.color.is_default


def test_states_have_colours_of_their_own_and_nothing_else_has_them() -> None:
    styles = styles_for("fleet-truecolor")
    states = {styles[name].color for name in ("online", "stale", "offline")}
    others = {styles[name].color for name in ("text", "dim", "accent", "title", "unknown")}
    assert len(states) == 3
    assert not states & others


def test_each_depth_of_colour_has_its_theme() -> None:
    assert [theme_for(depth).name for depth in ColorDepth] == [
        "fleet-truecolor",
        "fleet-256",
        "fleet-16",
        "fleet-mono",
    ]
