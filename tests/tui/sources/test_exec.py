"""Where programs can be run, and how what they said is told: bounded, inert, with its end."""

from __future__ import annotations

import json

import pytest

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.resources import Deployment
from fleet_core.operations.plans import Plan, Request, TargetResult
from fleet_core.operations.registry import operation
from fleet_tui.jobs import Job, JobState
from fleet_tui.locations import Location
from fleet_tui.sources.exec_output import SHOWN_LINES, end_cell, output_lines
from fleet_tui.sources.exec_places import Place
from tests.operator.fleets import deployment
from tests.view.fleets import FedView

KIOSKS = ("kiosk-1", "kiosk-2")


def view_of(*deployments: str, services: tuple[str, ...] = ("main",)) -> FedView:
    """Two devices that tell of these deployments."""
    fed = FedView()
    for name in deployments:
        resource = json.loads(encode(deployment(name)))
        image = {"image": "registry.example/shop:1"}
        data = resource["spec"]["score"]["data"]
        data["services"] = [{"name": each, **image} for each in services]
        data["init_containers"] = [{"name": "migrate", **image}]
        stored = encode(decode(Deployment, json.dumps(resource).encode()))
        fed.put("deployments", f"default.{name}", stored)
        for device in KIOSKS:
            fed.state(device, name)
    return fed


def names(place: Place, fed: FedView) -> list[str]:
    return [each.name for each in place.choices(fed.view)]


def test_one_service_is_not_asked_for() -> None:
    assert names(Place(KIOSKS), view_of("web")) == ["web/main"]


def test_of_several_all_services_are_offered_and_the_device_itself_last() -> None:
    fed = view_of("web", "db", services=("main", "metrics"))
    assert names(Place(KIOSKS), fed) == [
        *("db/main", "db/metrics", "web/main", "web/metrics"),
        "the device itself",
    ]
    assert names(Place(KIOSKS, "web"), fed) == ["web/main", "web/metrics"]


def test_what_is_named_is_meant() -> None:
    fed = view_of("web", services=("main", "metrics"))
    assert names(Place(KIOSKS, "web", "migrate"), fed) == ["web/migrate"]


def test_where_no_containers_are_known_the_device_chooses() -> None:
    assert names(Place(KIOSKS, "elsewhere"), FedView()) == ["elsewhere"]
    assert names(Place(KIOSKS), FedView()) == ["the device itself"]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Place(("kiosk-1",), "web", "main"), "in web/main on kiosk-1"),
        (Place(KIOSKS, "web"), "in web on 2 devices"),
        (Place(("kiosk-1",)), "on kiosk-1 itself"),
        (Place(KIOSKS), "on 2 devices themselves"),
    ],
)
def test_a_place_is_told_as_a_person_would(place: Place, told: str) -> None:
    assert str(place) == told


def test_a_line_is_taken_as_it_stands() -> None:
    typed = Location.verbatim(" :exec a -- ls  /etc '/x  /y' ")
    assert typed == Location("exec", "a -- ls  /etc '/x  /y'")
    assert Location.verbatim("exec") == Location("exec")


def job_of(*results: TargetResult, state: JobState = JobState.DONE) -> Job:
    plan = Plan("exec", "exec ls", KIOSKS, KIOSKS, None, "fleet exec")
    job = Job(1, operation("exec"), Request(), plan, 0.0, state)
    job.results = {result.target: result for result in results}
    return job


def said(stdout: str = "", stderr: str = "", *, code: int | None = 0) -> TargetResult:
    data = {"exit_code": code, "stdout": stdout, "stderr": stderr, "truncated": False}
    return TargetResult("kiosk-1", ok=code == 0, message="", data=data)


@pytest.mark.parametrize(
    ("result", "cell"),
    [
        (said(), ("exit code 0", "ok")),
        (said(code=7), ("exit code 7", "failed")),
        (said(code=None), ("ended by its deadline", "failed")),
        (TargetResult("kiosk-1", ok=False, message="no", kind="refused"), ("refused", "failed")),
    ],
)
def test_how_it_ended(result: TargetResult, cell: tuple[str, str]) -> None:
    assert end_cell(job_of(result), "kiosk-1") == cell


def test_what_has_not_ended_is_told_as_such() -> None:
    assert end_cell(job_of(state=JobState.RUNNING), "kiosk-1") == ("running …", "accent")
    assert end_cell(job_of(state=JobState.CANCELLED), "kiosk-1")[0] == "cancelled: no answer"


def test_silence_is_told_and_errors_stand_out() -> None:
    assert output_lines(job_of(said()), ["kiosk-1"]) == [("no output", "dim")]
    lines = output_lines(job_of(said("a\n\tb", "c\n")), ["kiosk-1"])
    assert lines == [("a", "text"), ("        b", "text"), ("c", "warning")]


def test_of_several_each_stands_under_its_name() -> None:
    lines = output_lines(job_of(said("a\n")), KIOSKS)
    assert [text for text, _ in lines] == [
        "kiosk-1  exit code 0",
        "a",
        "kiosk-2  done: no answer",
    ]


def test_no_output_is_too_long() -> None:
    lines = output_lines(job_of(said("x\n" * (SHOWN_LINES + 5))), ["kiosk-1"])
    assert len(lines) == SHOWN_LINES + 1
    assert lines[0] == ("… 5 earlier lines are not shown", "dim")
