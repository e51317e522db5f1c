"""What the first line says: the link, the age of the data, the fleet in numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_core.view import Health

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_tui.table.source import Cell

_SLOW_DATA_S = 5.0
"""Data older than this is worth a colour: heartbeats of a live fleet come every few seconds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the header is made from."""

    context: str
    link: str
    """``connected``, ``connecting``, ``reconnecting``, ``closed``."""
    server: str
    rtt_ms: float | None
    data_age_s: float | None
    events_per_s: float
    stale_because: str
    synced: bool
    devices: int
    health: Mapping[Health, int]
    deployments: int
    failing: int
    frames_dropped: int = 0
    rejected: int = 0
    read_only: bool = False


def header_cells(picture: Picture, width: int) -> tuple[list[Cell], list[Cell]]:
    """Return the left and the right side of the header for a terminal ``width`` cells wide."""
    wide = width >= 130  # noqa: PLR2004 -- below, the counts would be cut
    left = [(" fleet ", "title"), (picture.context, "strong"), *_link_cells(picture, wide=wide)]
    if picture.read_only:
        left.append(("  read-only", "warning"))
    if picture.frames_dropped and wide:
        left.append((f"  {picture.frames_dropped} frames dropped", "dim"))
    if picture.rejected and wide:
        left.append((f"  {picture.rejected} refused", "warning"))
    return left, _count_cells(picture, wide=wide)


def _link_cells(picture: Picture, *, wide: bool) -> list[Cell]:
    if picture.link != "connected":
        words = picture.link if picture.link != "closed" else "not connected"
        return [("  ○ ", "error"), (f"nats {words}", "error"), (f"  {picture.server}", "dim")]
    rtt = "" if picture.rtt_ms is None else f" {picture.rtt_ms:.0f} ms"
    cells: list[Cell] = [("  ● ", "ok"), (f"nats{rtt}", "text")]
    if picture.stale_because:
        return [*cells, (f"  data may be old: {picture.stale_because}", "warning")]
    if not picture.synced:
        return [*cells, ("  reading the fleet …", "warning")]
    cells += [("  data ", "dim"), (_age(picture.data_age_s), _age_style(picture.data_age_s))]
    if wide:
        cells.append((f"  {_rate(picture.events_per_s)} ev/s", "dim"))
    return cells


def _count_cells(picture: Picture, *, wide: bool) -> list[Cell]:
    counts = picture.health
    cells: list[Cell] = []
    if wide:
        cells += [(f"{picture.devices:,} devices  ", "text")]
    for health, glyph, style in (
        (Health.ONLINE, "●", "online"),
        (Health.STALE, "◐", "stale"),
        (Health.OFFLINE, "○", "offline"),
        (Health.UNKNOWN, "?", "unknown"),
    ):
        count = counts.get(health, 0)
        if count or health is Health.ONLINE:
            word = f" {health.word}" if wide else ""
            cells += [(f"{glyph} ", style), (f"{count:,}{word}  ", "text" if count else "dim")]
    if wide:
        cells.append((f"deployments {picture.deployments}  ", "dim"))
    if picture.failing:
        cells.append((f"✗ {picture.failing:,} failing ", "failed"))
    return cells


def _age(age_s: float | None) -> str:
    """Return the age of the data, coarsely: what changes at every tick costs bytes over SSH."""
    if age_s is None:
        return "-"
    if age_s < 1:
        return "now"
    return f"{int(age_s)} s" if age_s < 60 else f"{int(age_s / 60)} m"  # noqa: PLR2004


def _age_style(age_s: float | None) -> str:
    return "warning" if age_s is not None and age_s > _SLOW_DATA_S else "text"


def _rate(per_s: float) -> str:
    """Return a rate with two digits that count, so that it seldom changes."""
    if per_s < 10:  # noqa: PLR2004 -- one digit
        return f"{per_s:.0f}"
    magnitude = 10 ** (len(str(int(per_s))) - 2)
    return f"{round(per_s / magnitude) * magnitude:,}"
