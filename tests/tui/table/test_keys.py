"""Every key of the table, pressed."""

from typing import ClassVar

import pytest

from fleet_tui.table import VirtualTable
from tests.tui.table.sample import SampleApp, SampleSource

SIZE = (120, 21)
"""Twenty rows under the header."""


@pytest.mark.parametrize(
    ("keys", "position"),
    [
        (["j"], 1),
        (["down", "down"], 2),
        (["j", "j", "k"], 1),
        (["k"], 0),
        (["up"], 0),
        (["G"], 99),
        (["end", "g"], 0),
        (["G", "home"], 0),
        (["G", "j"], 99),
        (["pagedown"], 19),
        (["pagedown", "pagedown", "pageup"], 19),
        (["pageup"], 0),
        (["l", "right", "h", "left"], 0),
    ],
)
async def test_keys_move_the_cursor(keys: list[str], position: int) -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*keys)
        assert app.table.cursor_key == source.names[position]
        on_the_line = [line for line in app.lines() if line.startswith("▸")]
        assert len(on_the_line) == 1
        assert source.names[position] in on_the_line[0]


async def test_a_move_is_told_once_with_its_key() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j")
        moves = [m.key for m in app.said if isinstance(m, VirtualTable.CursorMoved)]
        assert moves == source.names[:2]
        assert all(message.control is app.table for message in app.said)


async def test_enter_opens_the_row_under_the_cursor() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j", "enter")
        opened = [m.key for m in app.said if isinstance(m, VirtualTable.RowOpened)]
        assert opened == [source.names[1]]


async def test_space_marks_and_unmarks() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("space", "j", "space")
        assert app.table.marked_keys == set(source.names[:2])
        assert [line[1] for line in app.lines()[1:4]] == ["◆", "◆", " "]
        await pilot.press("space")
        assert app.table.marked_keys == {source.names[0]}
        counts = [m.count for m in app.said if isinstance(m, VirtualTable.MarksChanged)]
        assert counts == [1, 2, 1]


async def test_a_range_is_marked_from_the_last_mark_in_both_directions() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j", "j", "space", "k", "k", "V")
        assert app.table.marked_keys == set(source.names[:3])
        await pilot.press("G", "V")
        assert app.table.marked_keys == set(source.names)


async def test_a_range_without_a_mark_marks_one_row_and_u_unmarks_all() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("V")
        assert app.table.marked_keys == {source.names[0]}
        await pilot.press("u")
        assert app.table.marked_keys == set()


async def test_an_action_is_meant_for_the_marked_rows_or_else_for_the_cursor() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j")
        assert app.table.target_keys() == (source.names[1],)
        await pilot.press("space", "j", "space", "G")
        assert set(app.table.target_keys()) == {source.names[1], source.names[2]}


async def test_keys_do_nothing_in_an_empty_table() -> None:
    app = SampleApp(SampleSource(0))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j", "G", "g", "pagedown", "space", "V", "enter", "l")
        assert app.table.cursor_key is None
        assert app.table.target_keys() == ()
        assert app.said == []


async def test_arrows_scroll_columns_and_the_first_stays() -> None:
    app = SampleApp(SampleSource(100))
    async with app.run_test(size=(50, 10)) as pilot:
        before = app.lines()[0]
        await pilot.press("right")
        after = app.lines()[0]
        assert "STATE" in before
        assert "STATE" not in after
        assert "DEVICE" in before
        assert "DEVICE" in after
        await pilot.press("right", "right", "right", "right")
        assert "SEEN" in app.lines()[0]
        await pilot.press("left", "left", "left", "left", "left")
        assert app.lines()[0] == before


async def test_letters_scroll_too_unless_the_app_has_its_own_use_for_them() -> None:
    class AppWithLogs(SampleApp):
        BINDINGS: ClassVar = [("l", "logs", "Logs")]
        logs_shown = 0

        def action_logs(self) -> None:
            self.logs_shown += 1

    async with SampleApp(SampleSource(9)).run_test(size=(50, 10)) as pilot:
        await pilot.press("l")
        assert isinstance(pilot.app, SampleApp)
        assert "STATE" not in pilot.app.lines()[0]
    app = AppWithLogs(SampleSource(9))
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.press("l")
        assert app.logs_shown == 1
        assert "STATE" in app.lines()[0]


async def test_a_click_puts_the_cursor_there_and_a_double_click_opens() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.click(offset=(10, 4))
        assert app.table.cursor_key == source.names[3]
        await pilot.click(offset=(10, 0))
        assert app.table.cursor_key == source.names[3]
        await pilot.double_click(offset=(10, 6))
        opened = [m.key for m in app.said if isinstance(m, VirtualTable.RowOpened)]
        assert opened == [source.names[5]]
