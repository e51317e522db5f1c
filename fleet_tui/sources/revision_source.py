"""The table of a Deployment's versions: what `fleet rollout history` lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import Revision
from fleet_core.operations.rollouts.words import images, newest_first, place_words
from fleet_tui.sources.record_source import RecordSource
from fleet_tui.table import Column, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.view import Filter, FleetView
    from fleet_tui.table.source import Cell


class RevisionSource(RecordSource[Revision]):
    """The kept versions of one Deployment by their numbers, the newest first."""

    COLUMNS = (
        Column("revision", "REVISION", 8, align="right"),
        Column("spec", "SPEC", 16),
        Column("now", "NOW", 8),
        Column("age", "AGE", 4, align="right"),
        Column("images", "IMAGES", 20, flex=1),
    )

    def __init__(self, view: FleetView, of: tuple[str, str], *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock)
        self._of = of

    @property
    def known(self) -> Mapping[str, Revision]:
        """The versions that are kept, by their hash."""
        return self.view.revisions.get(self._of, {})

    @property
    def total(self) -> int:
        """How many versions are kept."""
        return len(self.known)

    def state_of_view(self) -> Hashable:
        """Anything but a heartbeat may have changed them."""
        return self.view.changes

    def find(self, parsed: Filter) -> dict[str, Revision]:
        """Return the versions whose number, hash or images hold the filter's words."""
        wanted = str(parsed).lower()
        return {
            str(each.number): each
            for each in newest_first(list(self.known.values()))
            if wanted in f"{each.number} {each.spec_hash} {images(each)}".lower()
        }

    def cells_of(self, record: Revision) -> Sequence[Cell]:
        """Return the cells of a version."""
        place = place_words(record, self.view.deployments.get(self._of))
        return (
            (str(record.number), "strong"),
            (record.spec_hash, "dim"),
            (place, "ok" if place == "applied" else "accent"),
            (span_text(self.clock() - record.created_at.timestamp()), "dim"),
            (images(record), "text"),
        )
