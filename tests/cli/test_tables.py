"""Tables and records: what devices wrote is shown as text, whatever it is."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.cli import listings
from fleet_core.cli.output import Output, table
from fleet_core.contracts.states import Failure, Phase
from fleet_core.operations.reports import device_record
from tests.view.fleets import NOW_S, FedView

if TYPE_CHECKING:
    from fleet_core.view import FleetView

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n\u202egnp\u2028[red]\x9b31m"


def hostile_view() -> FleetView:
    """A device that tries everything its payloads let it."""
    fed = FedView()
    info = {
        "device_id": "evil",
        "labels": {"site": "berlin"},
        "agent_version": f"1.3{HOSTILE}",
    }
    fed.put("device-info", "info.evil", json.dumps(info).encode())
    fed.beat("evil")
    fed.manifest("evil", "web")
    failure = Failure(container="web", cause=HOSTILE, exit_code=3, log=HOSTILE)
    fed.state("evil", "web", phase=Phase.FAILED, reason=HOSTILE, failure=failure)
    fed.beat("good")
    fed.info("good", site="berlin")
    fed.synced()
    fed.view.tick(NOW_S)
    return fed.view


def test_no_device_reaches_the_terminal_through_a_table() -> None:
    view = hostile_view()
    slots = sorted(view.devices.slot_of.values())
    devices = [listings.device_row(view, slot, wide=True) for slot in slots]
    failures = [listings.failure_row(group, NOW_S, wide=True) for group in view.failures()]
    assert failures
    lines = [
        *table(listings.DEVICE_WIDE_HEADERS, devices),
        *table(listings.FAILURE_WIDE_HEADERS, failures),
    ]
    assert len(lines) == 2 + len(devices) + len(failures)
    assert any(line.startswith("good ") for line in lines)
    assert any(line.startswith("evil ") and "[red]" in line for line in lines)
    for line in lines:
        assert line.isprintable(), repr(line)


def test_json_holds_what_was_written_in_plain_ascii() -> None:
    stream = io.StringIO()
    Output(stream).json(device_record(hostile_view(), "good"))
    written = stream.getvalue()
    assert written.isascii()
    assert json.loads(written)["labels"] == {"site": "berlin"}


@given(st.text())
def test_any_text_survives_json_without_control_characters(text: str) -> None:
    stream = io.StringIO()
    Output(stream).json_line({"said": text})
    written = stream.getvalue()
    assert written[:-1].isprintable()
    assert written[:-1].isascii()
    assert json.loads(written) == {"said": text}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_columns_stand_under_their_headers(rows: int) -> None:
    lines = table(("A", "LONG", "END"), [("x" * n, str(n), "e") for n in range(1, rows + 1)])
    assert len(lines) == 1 + rows
    assert {line.index("e") for line in lines[1:]} <= {lines[0].index("END")}


def test_one_very_long_value_pushes_only_its_own_line() -> None:
    header, long, short = table(("A", "B"), [("x" * 500, "b"), ("y", "b")])
    assert len(long) > 500
    assert header.index("B") == short.index("b")
    assert header.index("B") < 100


def test_a_device_that_was_never_heard_of_says_so() -> None:
    fed = FedView()
    fed.info("silent")
    fed.synced()
    fed.view.tick(NOW_S)
    assert "never" in listings.device_row(fed.view, fed.slot("silent"), wide=False)
