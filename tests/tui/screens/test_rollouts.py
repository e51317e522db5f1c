"""The rollouts view and the history: batches, what a person can tell them, earlier versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import revision_key
from fleet_core.contracts.resources import Aggregate, Condition, Deployment, DeploymentStatus
from fleet_core.contracts.rollouts import (
    Batch,
    BatchPhase,
    BatchStatus,
    Released,
    Revision,
    RevisionRef,
    Rollout,
    RolloutPhase,
    RolloutStatus,
    Strategy,
)
from fleet_core.contracts.scores import spec_hash
from fleet_core.operations.plans import Request
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.revisions import RevisionsScreen
from fleet_tui.screens.rollouts import RolloutsScreen
from fleet_tui.sources.rollout_source import RolloutSource
from tests.operator.fleets import deployment, moment
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.deployments_sample import deployed_fleet
from tests.tui.screens.screen_text import screen_lines, screen_text
from tests.view.fleets import NOW_S, FedView

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

Compare = Callable[..., bool]
WIDE = (160, 30)
EARLIER = RevisionRef(number=1, spec_hash="1" * 16)


def staged(name: str = "till", image: str = "till:2") -> Deployment:
    """A Deployment in three batches."""
    made = deployment(name, labels={"site": "berlin"}, image=image, created_s=NOW_S - 7_200)
    batches = [
        Batch(name="canary", count=2, soak_seconds=120),
        Batch(name="early", count="25%", success_threshold="90%", error_threshold=1),
    ]
    rollout = Rollout(strategy=Strategy.STAGED, batches=batches)
    return made.model_copy(update={"spec": made.spec.model_copy(update={"rollout": rollout})})


def canary(phase: BatchPhase, **counts: int) -> list[BatchStatus]:
    """A canary in some phase, and two batches that wait for it."""
    first = BatchStatus(
        name="canary", phase=phase, total=2, started_at=moment(NOW_S - 90), **counts
    )
    if phase is BatchPhase.SOAKING:
        first = first.model_copy(update={"soaking_since": moment(NOW_S - 30)})
    return [first, BatchStatus(name="early", total=5), BatchStatus(name="rest", total=13)]


def put_rollout(fed: FedView, resource: Deployment, phase: RolloutPhase, **more: Any) -> None:
    """A Deployment, and where the operator says that its rollout stands."""
    metadata = resource.metadata
    key = f"{metadata.namespace}.{metadata.name}"
    update = RevisionRef(number=2, spec_hash=spec_hash(resource.spec.score))
    conditions = more.pop("conditions", [])
    rollout = RolloutStatus(phase=phase, update=update, stable=EARLIER, **more)
    aggregate = Aggregate(matched_device_count=20, succeeded=18)
    status = DeploymentStatus(
        aggregate=aggregate, observed_generation=1, rollout=rollout, conditions=conditions
    )
    fed.put("deployments", key, encode(resource))
    fed.put("deployment-status", key, encode(status))


def paused_fleet() -> FedView:
    """A rollout that its canary stopped, one under way, one that is done."""
    fed = deployed_fleet()
    put_rollout(
        fed,
        staged(),
        RolloutPhase.PAUSED,
        reason="BatchFailed",
        message="1 of 2 devices failed: exit 3",
        batches=canary(BatchPhase.FAILED, succeeded=1, failed=1),
        started_at=moment(NOW_S - 100),
        conditions=[Condition(type="Degraded", status="True", reason="RolloutPaused")],
    )
    put_rollout(
        fed,
        staged("scale"),
        RolloutPhase.PROGRESSING,
        batches=canary(BatchPhase.SOAKING, succeeded=2),
        started_at=moment(NOW_S - 90),
    )
    put_rollout(
        fed,
        staged("menu"),
        RolloutPhase.COMPLETED,
        batches=canary(BatchPhase.SUCCEEDED, succeeded=2),
        released=Released(batch=3),
        finished_at=moment(NOW_S - 4_000),
    )
    return fed


async def opened(app: FleetApp, pilot: Pilot[object]) -> RolloutsScreen:
    await eventually(lambda: isinstance(app.screen, RolloutsScreen) and app.screen.is_mounted)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, RolloutsScreen)
    return screen


def keys(screen: RolloutsScreen) -> list[str]:
    return [screen.rows.key(row) for row in screen.rows.rows]


async def test_what_waits_for_a_person_stands_first_and_open() -> None:
    app = steady_app(paused_fleet(), command="rollouts")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        assert keys(screen) == [
            "default/till",
            *(f"default/till\n{batch}" for batch in ("canary", "early", "rest")),
            "default/scale",
            *(f"default/scale\n{batch}" for batch in ("canary", "early", "rest")),
            "default/menu",
        ]
        lines = screen_lines(app)
        assert "3 rollouts" in lines[1]
        assert "1 paused" in lines[1]
        assert "Paused canary 1/3" in lines[3]
        assert "1 of 2 devices fail" in lines[3]
        assert "Failed" in lines[4]
        assert "90% ≤1 fail" in lines[5]
        soaking = lines[8]
        assert "Soaking" in soaking
        assert "1m30s" in soaking
        # What is known of the one under the cursor stands beneath.
        assert "Degraded     True RolloutPaused" in screen_text(app)
        assert f"revision 1 ({EARLIER.spec_hash})" in screen_text(app)


async def test_batches_fold_and_unfold_and_stay_so() -> None:
    fed = paused_fleet()
    app = steady_app(fed, command="rollouts")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("j", "o")
        assert screen.table.cursor_key == "default/till"
        assert "default/till\ncanary" not in keys(screen)
        put_rollout(fed, staged(), RolloutPhase.PROGRESSING, batches=canary(BatchPhase.PROGRESSING))
        await eventually(lambda: "Progressing canary 1/3" in screen_text(app))
        assert "default/till\ncanary" not in keys(screen)
        await pilot.press("o")
        assert "default/till\ncanary" in keys(screen)


async def test_only_what_is_not_completed_and_a_filter() -> None:
    app = steady_app(paused_fleet(), command="rollouts")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("f")
        assert "default/menu" not in keys(screen)
        await pilot.press("f", "slash", *"name=menu", "enter")
        assert keys(screen) == ["default/menu"]  # folded: it is done


@pytest.mark.parametrize(
    ("key", "operation"),
    [
        ("z", "rollout-pause"),
        ("Z", "rollout-resume"),
        ("N", "rollout-promote"),
        ("A", "rollout-abort"),
        ("B", "rollout-revert"),
        ("U", "rollout-undo"),
    ],
)
async def test_keys_tell_the_rollout_of_the_row(
    key: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = steady_app(paused_fleet(), command="rollouts")
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr(app, "start", lambda name, request: started.append((name, request)))
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("j", key)  # on a batch it means the batch's rollout
        assert started == [(operation, Request(deployment="till"))]


@pytest.mark.parametrize(
    ("line", "operation", "request_"),
    [
        ("pause till", "rollout-pause", Request(deployment="till")),
        ("resume edge/till", "rollout-resume", Request(deployment="till", namespace="edge")),
        ("promote till --fully", "rollout-promote", Request(deployment="till", everything=True)),
        ("undo till 3", "rollout-undo", Request(deployment="till", revision=3)),
    ],
)
async def test_the_same_can_be_typed(
    line: str, operation: str, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = steady_app(paused_fleet())
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr(app, "start", lambda name, request: started.append((name, request)))
    async with app.run_test(size=WIDE):
        app.run_line(line)
        assert started == [(operation, request_)]


@pytest.mark.parametrize("line", ["pause", "abort till now", "undo till yesterday", "history"])
async def test_what_is_typed_wrong_is_told(line: str) -> None:
    app = steady_app(paused_fleet())
    async with app.run_test(size=WIDE):
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        app.run_line(line)
        assert f"{line.split(maxsplit=1)[0]}: expected" in screen_lines(app)[-1]


def put_versions(fed: FedView, resource: Deployment, earlier: Deployment) -> None:
    """Two versions of a Deployment."""
    for number, each in ((1, earlier), (2, resource)):
        score = each.spec.score
        revision = Revision(
            number=number,
            spec_hash=spec_hash(score),
            generation=number,
            score=score,
            created_at=moment(NOW_S - 3_600 / number),
        )
        key = revision_key(*each.key, revision.spec_hash)
        fed.put("deployment-revisions", key, encode(revision))


async def test_the_history_tells_what_going_back_would_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed = paused_fleet()
    put_versions(fed, staged(), staged(image="till:1"))
    app = steady_app(fed, command="rollouts")
    started: list[tuple[str, Request]] = []
    monkeypatch.setattr(app, "start", lambda name, request, **_: started.append((name, request)))
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("H")
        await eventually(lambda: isinstance(app.screen, RevisionsScreen))
        await eventually(lambda: "revision 2 is what is applied" in screen_text(app))
        assert "applied" in screen_lines(app)[3]
        assert "till:1" in screen_lines(app)[4]
        await pilot.press("j")
        await eventually(lambda: "-    image: till:2" in screen_text(app))
        assert "+    image: till:1" in screen_text(app)
        await pilot.press("U")
        assert started == [("rollout-undo", Request(deployment="till", revision=1))]


async def test_the_deployments_view_tells_the_rollout_and_leads_to_it() -> None:
    app = steady_app(paused_fleet(), command="deployments /name=till")
    async with app.run_test(size=WIDE) as pilot:
        await eventually(lambda: "Paused canary" in screen_text(app))
        await pilot.press("o")
        screen = await opened(app, pilot)
        assert keys(screen)[0] == "default/till"
        assert "default/scale" not in keys(screen)
        await pilot.press("enter")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        assert "deploy:till!=none" in screen_lines(app)[1]


def test_where_all_are_told_at_once_the_deployments_own_counts_are_shown() -> None:
    fed = paused_fleet()
    put_rollout(fed, deployment("plain"), RolloutPhase.COMPLETED)
    source = RolloutSource(fed.view, clock=lambda: NOW_S)
    source.refresh(now=True)
    row = source.row("default/plain")
    assert row is not None
    assert [text for text, _ in source.cells(row)[3:9]] == ["20", "18", "0", "0", "0", "0"]


def test_bars_of_batches_add_up() -> None:
    fed = paused_fleet()
    source = RolloutSource(fed.view, clock=lambda: NOW_S)
    source.refresh(now=True)
    for row in source.rows:
        assert len(source.cells(row)) == len(source.columns)
        assert len(source.cells(row)[2][0]) == 16


@pytest.mark.parametrize("size", [(80, 24), (160, 30)], ids=["narrow", "wide"])
def test_snapshot(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = steady_app(paused_fleet(), command="rollouts")

    async def settled(pilot: Pilot[object]) -> None:
        await opened(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=settled)
