"""Only lines that changed are drawn again, however many rows there are."""

from tests.tui.table.sample import SampleApp, SampleSource

SIZE = (120, 21)
VISIBLE = 20


async def test_a_tick_without_a_change_draws_nothing() -> None:
    source = SampleSource(1_000)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        source.drawn.clear()
        for _ in range(5):
            app.table.tick()
            await pilot.pause()
        assert source.drawn == []


async def test_a_change_draws_its_line_alone_and_one_out_of_sight_draws_nothing() -> None:
    source = SampleSource(1_000)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        source.drawn.clear()
        source.restarts[3] = 1
        source.restarts[900] = 1
        app.table.tick()
        await pilot.pause()
        assert source.drawn == [3]


async def test_moving_the_cursor_draws_two_lines() -> None:
    source = SampleSource(1_000)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        source.drawn.clear()
        await pilot.press("j")
        assert sorted(source.drawn) == [0, 1]


async def test_100_000_rows_are_drawn_a_screen_at_a_time() -> None:
    source = SampleSource(100_000)
    app = SampleApp(source)
    async with app.run_test(size=SIZE) as pilot:
        source.drawn.clear()
        await pilot.press("G")
        assert app.table.cursor_key == source.names[-1]
        assert len(source.drawn) <= 2 * VISIBLE
        source.drawn.clear()
        source.restarts[:] = [1] * 100_000
        source.reorder(range(99_999, -1, -1))
        app.table.tick()
        await pilot.pause()
        assert len(source.drawn) <= 2 * VISIBLE


async def test_the_table_fits_any_width_from_80_to_300() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=(80, 12)) as pilot:
        for width in (80, 100, 160, 240, 300, 81):
            await pilot.resize_terminal(width, 12)
            await pilot.pause()
            assert {len(line) for line in app.lines()} == {width}
            assert "SEEN" in app.lines()[0]


async def test_a_smaller_terminal_keeps_the_cursor_in_sight() -> None:
    source = SampleSource(100)
    app = SampleApp(source)
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("pagedown")
        await pilot.resize_terminal(80, 10)
        await pilot.pause()
        assert any(line.startswith("▸") for line in app.lines())
