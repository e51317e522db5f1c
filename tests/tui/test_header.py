"""The first line: what it never leaves out, at any width, in any state of the link."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from fleet_core.view import Health
from fleet_tui.header import Picture, header_cells

WELL = Picture(
    context="prod-eu",
    link="connected",
    server="nats://nats.example:4222",
    rtt_ms=3.2,
    data_age_s=0.4,
    events_per_s=3_412.0,
    stale_because="",
    synced=True,
    devices=100_214,
    health={Health.ONLINE: 97_801, Health.STALE: 1_922, Health.OFFLINE: 491},
    deployments=12,
    failing=1_204,
)


def text(picture: Picture, width: int) -> str:
    left, right = header_cells(picture, width)
    return "".join(words for words, _ in (*left, *right))


@pytest.mark.parametrize("width", [80, 100, 160, 200])
def test_link_and_counts_fit_at_every_width(width: int) -> None:
    shown = text(WELL, width)
    assert cell_len(shown) <= width
    for part in ("prod-eu", "● nats 3 ms", "97,801", "1,922", "491", "✗ 1,204 failing"):
        assert part in shown


def test_a_wide_terminal_is_told_more() -> None:
    shown = text(replace(WELL, frames_dropped=4, rejected=2), 200)
    for part in ("3,400 ev/s", "100,214 devices", "deployments 12", "4 frames", "2 refused"):
        assert part in shown


@pytest.mark.parametrize("link", ["connecting", "reconnecting"])
def test_a_lost_link_is_told_with_where_it_should_lead(link: str) -> None:
    left, _ = header_cells(replace(WELL, link=link), 80)
    assert (f"nats {link}", "error") in left
    assert any("nats.example" in words for words, _ in left)


def test_a_closed_link_is_told_in_words() -> None:
    assert "nats not connected" in text(replace(WELL, link="closed"), 80)


def test_old_data_is_told_with_the_reason() -> None:
    shown = text(replace(WELL, stale_because="the bucket is gone"), 120)
    assert "data may be old: the bucket is gone" in shown


def test_the_first_reading_is_told() -> None:
    assert "reading the fleet" in text(replace(WELL, synced=False), 80)


@pytest.mark.parametrize(
    ("age_s", "told", "style"),
    [
        (None, "-", "text"),
        (0.4, "now", "text"),
        (4.9, "4 s", "text"),
        (7.0, "7 s", "warning"),
        (130.0, "2 m", "warning"),
    ],
)
def test_the_age_of_the_data(age_s: float | None, told: str, style: str) -> None:
    left, _ = header_cells(replace(WELL, data_age_s=age_s), 160)
    assert (told, style) in left


def test_read_only_is_told() -> None:
    assert "read-only" in text(replace(WELL, read_only=True), 80)


def test_unknown_devices_are_counted_once_there_are_any() -> None:
    assert "?" not in text(WELL, 80)
    assert "? 7" in text(replace(WELL, health={**WELL.health, Health.UNKNOWN: 7}), 80)
