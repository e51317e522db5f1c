"""What two sources tell of the same objects, told on once and in order; who may take a Lease."""

from __future__ import annotations

from typing import Any

from fleet_core.cluster.known import KnownObjects
from fleet_core.operator.kubernetes.leadership import DURATION_S, Seen, may_take, observed


def item(name: str = "web", version: int = 1, uid: str = "u1") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "resourceVersion": str(version),
            "uid": uid,
        }
    }


def test_what_was_told_already_or_is_older_is_no_news() -> None:
    known = KnownObjects()
    assert known.is_news(item(version=5))
    assert not known.is_news(item(version=5))
    assert not known.is_news(item(version=4))
    assert known.is_news(item(version=6))


def test_a_deletion_of_an_earlier_object_of_the_name_is_no_news() -> None:
    known = KnownObjects()
    known.is_news(item(version=5, uid="u1"))
    known.is_news(item(version=9, uid="u2"))
    assert not known.is_gone(item(version=8, uid="u1"))
    assert known.is_gone(item(version=10, uid="u2"))
    assert not known.is_gone(item(version=10, uid="u2"))


def test_a_list_tells_what_is_missing_but_not_what_came_after_it_was_asked_for() -> None:
    known = KnownObjects()
    known.is_news(item("old", 1))
    known.is_news(item("stays", 2))
    since = known.sequence
    known.is_news(item("new", 3, uid="u3"))
    assert known.missing({("default", "stays")}, since) == [("default", "old")]
    assert known.missing({("default", "stays")}, known.sequence) == [("default", "new")]


def test_a_lease_is_taken_only_when_it_was_not_renewed_for_its_duration() -> None:
    spec = {"holderIdentity": "one", "renewTime": "t1", "leaseDurationSeconds": DURATION_S}
    seen = observed(None, spec, 100.0)
    assert not may_take(seen, "two", 100.0)
    # Looking again does not prolong it: only a renewal does, by our own clock.
    seen = observed(seen, spec, 105.0)
    assert not may_take(seen, "two", 109.9)
    assert may_take(seen, "two", 110.0)
    renewed = observed(seen, {**spec, "renewTime": "t2"}, 109.0)
    assert not may_take(renewed, "two", 118.9)
    assert may_take(renewed, "two", 119.0)


def test_ones_own_lease_and_one_that_was_given_back_may_be_taken_at_once() -> None:
    assert may_take(Seen("one", "t1", 100.0), "one", 100.0)
    assert may_take(Seen("", "t1", 100.0), "two", 100.0)
