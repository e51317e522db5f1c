"""When the order changes, the cursor, the marks and the line looked at stay with their keys."""

from fleet_tui.table import Sort
from tests.tui.table.sample import SampleApp, SampleSource

SIZE = (120, 21)


async def test_the_cursors_row_stays_on_its_screen_line_while_others_move() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("pagedown", "pagedown", "k", "k")
        key = app.table.cursor_key
        line = next(y for y, text in enumerate(app.lines()) if text.startswith("▸"))
        source.reorder(range(99, -1, -1))
        app.table.tick()
        await pilot.pause()
        assert app.table.cursor_key == key
        assert app.lines()[line].startswith("▸")
        assert str(key) in app.lines()[line]


async def test_marks_stay_on_their_keys_and_hidden_ones_are_counted() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("space", "j", "space")
        source.reorder(range(99, 0, -1))
        app.table.tick()
        await pilot.pause()
        assert app.table.marked_keys == {source.names[0], source.names[1]}
        assert app.table.hidden_mark_count() == 1
        await pilot.press("G")
        marked = [text for text in app.lines() if text[1] == "◆"]
        assert len(marked) == 1
        assert source.names[1] in marked[0]


async def test_a_key_pressed_between_a_change_and_its_tick_moves_from_the_cursors_key() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*["j"] * 5)
        source.reorder(range(99, -1, -1))
        await pilot.press("j")
        assert app.table.cursor_key == source.names[4]


async def test_marked_keys_that_the_store_lost_are_no_targets() -> None:
    source = SampleSource(10)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("space", "j", "space")
        del source.row_of[source.names[0]]
        source.reorder(range(1, 10))
        app.table.tick()
        assert app.table.target_keys() == (source.names[1],)


async def test_the_cursor_can_be_put_on_a_key_that_is_shown_only() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=SIZE):
        assert app.table.set_cursor(source.names[80])
        assert any(source.names[80] in line for line in app.lines())
        assert not app.table.set_cursor("no-such-device")
        source.reorder(range(10))
        assert not app.table.set_cursor(source.names[80])
        assert app.table.cursor_key == source.names[9]


async def test_the_header_shows_what_the_rows_are_sorted_by() -> None:
    source = SampleSource(10)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        assert "DEVICE↑" in app.lines()[0]
        source.sort = Sort("seen", descending=True)
        source.version += 1
        app.table.tick()
        await pilot.pause()
        assert "SEEN↓" in app.lines()[0]
        assert "DEVICE↑" not in app.lines()[0]


async def test_another_source_is_shown_at_once() -> None:
    app = SampleApp(SampleSource(10))
    async with app.run_test(size=SIZE) as pilot:
        app.table.source = SampleSource(1)
        await pilot.pause()
        assert [line for line in app.lines()[1:] if line.strip()] == [app.lines()[1]]
