"""What is known of a device itself: its presence, labels and machine, as facts. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from fleet_core.view import Health
from fleet_tui.sources.device_source import rtt_text
from fleet_tui.sources.heartbeat_strip import MISSED
from fleet_tui.table import age_text, span_text
from fleet_tui.table.ages import UNKNOWN
from fleet_tui.themes import Glyphs
from fleet_tui.widgets.facts import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from fleet_core.contracts.devices import DeviceInfo
    from fleet_core.view import FleetView

GLYPHS: Final = {
    Health.ONLINE: Glyphs.ONLINE,
    Health.STALE: Glyphs.STALE,
    Health.OFFLINE: Glyphs.OFFLINE,
    Health.UNKNOWN: Glyphs.UNKNOWN,
}
_BOOT_ID_CHARS: Final = 24
_GIB: Final = 2**30


def device_facts(
    view: FleetView,
    slot: int,
    info: DeviceInfo | None,
    problems: Sequence[Fact],
    beats: str,
) -> list[Fact]:
    """Return the facts of a device, the most telling first: a small screen shows only those."""
    version = view.devices.versions[slot] or UNKNOWN
    return [
        *_presence(view, slot),
        *problems,
        Fact("LABELS", _labels(view, slot), wide=True),
        Fact("BEATS", beats or UNKNOWN, "ok" if MISSED not in beats else "warning"),
        Fact("AGENT", version),
        *(_machine(info, view.now_s) if info is not None else ()),
    ]


def _presence(view: FleetView, slot: int) -> Iterator[Fact]:
    devices = view.devices
    health = Health(devices.health[slot])
    seen_s = devices.seen_s[slot]
    # One line to the second costs little, and says at a glance that the view lives.
    age = age_text(max(0.0, view.now_s - seen_s), exact=True) if seen_s else ""
    evidence = f"{age} ago, every {devices.interval_s[slot]}s" if age else "never heard of"
    yield Fact("HEALTH", f"{GLYPHS[health].value} {health.word}, {evidence}", health.word)
    rtt_ms = devices.rtt_ms[slot]
    pinged = not math.isnan(rtt_ms)
    yield Fact("RTT", rtt_text(rtt_ms) if pinged else UNKNOWN, "accent" if pinged else "dim")


def _machine(info: DeviceInfo, now_s: float) -> Iterator[Fact]:
    facts = info.inventory
    cpus = f", {facts.cpus} cpus" if facts.cpus is not None else ""
    told = (
        ("BOOT", _clipped(info.boot_id)),
        ("STARTED", _ago(info.started_at, now_s) if info.started_at is not None else None),
        ("ARCH", f"{facts.arch or UNKNOWN}{cpus}" if facts.arch or cpus else None),
        ("OS", facts.os),
        ("KERNEL", facts.kernel),
        ("MEMORY", _gib(facts.memory_bytes)),
        ("DISK", _gib(facts.disk_bytes)),
        ("MODEL", facts.model),
        ("RUNTIME", facts.runtime),
        ("HOST", facts.hostname if facts.hostname != info.device_id else None),
    )
    yield from (Fact(name, value) for name, value in told if value)


def _clipped(boot_id: str) -> str:
    """Return enough of a boot id to tell two apart; the YAML has all of it."""
    return f"{boot_id[: _BOOT_ID_CHARS - 1]}…" if len(boot_id) > _BOOT_ID_CHARS else boot_id


def _labels(view: FleetView, slot: int) -> str:
    labels = view.devices.labels[slot]
    return "  ".join(f"{name}={value}" for name, value in sorted(labels.items())) or "none"


def _gib(size: int | None) -> str | None:
    return None if size is None else f"{size / _GIB:.1f} GiB"


def _ago(moment: datetime, now_s: float) -> str:
    return f"{span_text(max(0.0, now_s - moment.timestamp()))} ago"
