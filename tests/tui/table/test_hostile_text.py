"""Nothing that a device writes into a cell does anything but be shown."""

import pytest
from rich.cells import cell_len

from fleet_tui.table import StaticSource, VirtualTable
from tests.tui.table.sample import COLUMNS, SampleApp, SampleSource

HOSTILE = [
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "[red]markup[/red] [@click=app.quit]x[/]",
    "a\r\nb\tc\x00d\x7f\x9b31m",
    "\u202eright to left\u2066 \u200b\u200d\ufeff",
    "日本語の非常に長い名前がここに入ります",
    "👩‍👩‍👧‍👦❤️🇩🇪e\u0301\u0301\u0301",
    "\ud800 lone surrogate",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_it_is_shown_as_text_on_its_own_line_only(text: str) -> None:
    source = StaticSource(COLUMNS)
    calm = [("calm", "text")] * len(COLUMNS)
    source.replace([("a", [(text, "text")] * len(COLUMNS)), ("b", calm)])
    app = SampleApp(SampleSource(0))
    async with app.run_test(size=(100, 6)) as pilot:
        app.table.source = source
        await pilot.pause()
        lines = app.lines()
        assert all(line.isprintable() for line in lines)
        assert {cell_len(line) for line in lines} == {100}
        assert lines[2].split() == ["calm"] * len(COLUMNS)


async def test_markup_is_shown_as_it_was_written() -> None:
    source = StaticSource(COLUMNS)
    source.replace([("a", [("[red]x[/]", "text")] * len(COLUMNS))])
    app = SampleApp(SampleSource(0))
    async with app.run_test(size=(100, 6)) as pilot:
        app.table.source = source
        await pilot.pause()
        assert "[red]x[/]" in app.lines()[1]


async def test_an_unknown_style_reads_as_plain_text() -> None:
    source = StaticSource(COLUMNS)
    source.replace([("a", [("word", "no-such-style")] * len(COLUMNS))])
    app = SampleApp(SampleSource(0))
    async with app.run_test(size=(100, 6)) as pilot:
        app.table.source = source
        await pilot.pause()
        assert "word" in app.lines()[1]
    assert isinstance(app.table, VirtualTable)
