"""The views that were visited, as in a browser."""

from fleet_tui.visits import KEPT_VISITS, Visits


def visited(*lines: str) -> Visits:
    visits = Visits()
    for line in lines:
        visits.add(line)
    return visits


def test_back_and_forth() -> None:
    visits = visited("a", "b", "c")
    assert [visits.move(-1), visits.move(-1), visits.move(-1)] == ["b", "a", None]
    assert [visits.move(1), visits.move(1), visits.move(1)] == ["b", "c", None]


def test_a_new_visit_forgets_what_lay_ahead() -> None:
    visits = visited("a", "b", "c")
    visits.move(-1)
    visits.add("d")
    assert visits.move(1) is None
    assert visits.move(-1) == "b"


def test_the_same_view_twice_is_one_visit() -> None:
    assert visited("a", "a").move(-1) is None


def test_nothing_is_noted_while_held() -> None:
    visits = visited("a", "b")
    with visits.held():
        visits.add("c")
    assert visits.move(-1) == "a"


def test_it_is_bounded() -> None:
    visits = visited(*(str(number) for number in range(KEPT_VISITS + 50)))
    steps = 0
    while visits.move(-1) is not None:
        steps += 1
    assert steps == KEPT_VISITS - 1
