"""How the table looks, at each depth of colour and at the sizes that people have."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.tui.table.sample import SampleApp, SampleSource

Compare = Callable[..., bool]

TERMINALS = {
    "truecolor": {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    "256": {"TERM": "xterm-256color"},
    "16": {"TERM": "screen"},
    "mono": {"TERM": "xterm-256color", "NO_COLOR": "1"},
}


def app_on(monkeypatch: pytest.MonkeyPatch, terminal: str) -> SampleApp:
    for name in ("TERM", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in TERMINALS[terminal].items():
        monkeypatch.setenv(name, value)
    return SampleApp(SampleSource(200))


@pytest.mark.parametrize("terminal", TERMINALS)
def test_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    app = app_on(monkeypatch, terminal)
    keys = ["j", "space", "j", "space", "j", "j"]
    assert snap_compare(app, terminal_size=(100, 14), press=keys)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_sizes(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    assert snap_compare(app_on(monkeypatch, "truecolor"), terminal_size=size, press=["j"])


def test_narrow_and_scrolled_sideways(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(monkeypatch, "256")
    assert snap_compare(app, terminal_size=(46, 10), press=["right", "right"])


def test_stale_data_without_the_focus(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(monkeypatch, "truecolor")

    async def go_stale(pilot: Pilot[object]) -> None:
        await pilot.pause()
        app.table.stale = True
        app.set_focus(None)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(100, 10), run_before=go_stale)
