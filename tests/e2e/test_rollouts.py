"""Staged rollouts as people run them: watched, paused, promoted, reverted and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.rollouts import RolloutPhase
from tests.support.stack import eventually, manifest

if TYPE_CHECKING:
    from tests.support.stack import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(40)]

PARIS = "{name: paris, selector: {matchLabels: {site: paris}}}"
THREE = "{name: three, count: 3}"
BROKEN = "{name: migrate, image: 'registry.example/shop/migrate:1.4'}"
"""An init container that fails on the devices in Paris."""


def staged(name: str, version: str, *batches: str, init: str = "", more: str = "") -> str:
    """Return a Deployment that is rolled out in these batches."""
    rollout = f"{{strategy: Staged, maxUnavailable: 100%, batches: [{', '.join(batches)}]{more}}}"
    return f"{manifest(name, version=version, init=init)}\n  rollout: {rollout}\n"


def phase(stack: Stack, name: str) -> RolloutPhase | None:
    status = stack.view.statuses.get(("default", name))
    return status.rollout.phase if status is not None and status.rollout is not None else None


async def test_watched_until_all_devices_have_it(stack: Stack) -> None:
    await stack.apply(manifest("watched"))
    await eventually(lambda: stack.running("watched") == stack.devices())
    # It soaks for longer than a program takes to start on a busy machine.
    slow = "{name: three, count: 3, soakSeconds: 6}"
    await stack.apply(staged("watched", "2", slow, PARIS))

    watched = await stack.cli("rollout", "status", "watched", "--watch")

    assert watched.code == 0, watched.stderr
    assert watched.stdout.splitlines()[-1].startswith("Completed")
    assert "three 1/3" in watched.stdout
    assert stack.running("watched") == stack.devices()
    shown = await stack.cli("rollout", "status", "watched")
    batches = [line.split()[:3] for line in shown.stdout.splitlines()[-3:]]
    assert [words[:2] for words in batches] == [
        ["three", "Succeeded"],
        ["paris", "Succeeded"],
        ["rest", "Succeeded"],
    ]
    assert sum(int(words[2]) for words in batches) == len(stack.devices())


async def test_a_canary_that_fails_pauses_it_and_undo_brings_the_version_before_back(
    stack: Stack,
) -> None:
    everyone, paris = stack.devices(), stack.devices(site="paris")
    await stack.apply(manifest("canary"))
    await eventually(lambda: stack.running("canary") == everyone)
    await stack.apply(staged("canary", "2", PARIS, init=BROKEN))
    await eventually(lambda: phase(stack, "canary") is RolloutPhase.PAUSED)

    told = await stack.cli("rollout", "status", "canary")
    assert told.code == 1
    assert "batch paris:" in told.stdout
    assert "failed, at most 0 may" in told.stdout
    assert stack.telling("canary") == everyone
    history = await stack.cli("rollout", "history", "canary", "-o", "json")
    assert [each["number"] for each in history.json()] == [2, 1]

    refused = await stack.cli("rollout", "undo", "canary", "--to-revision", "7", "--yes")
    assert refused.code == 1
    assert "kept revisions: 2, 1" in refused.stderr
    undone = await stack.cli("rollout", "undo", "canary", "--confirm", str(len(everyone)))
    assert undone.code == 0, undone.stderr
    await eventually(lambda: phase(stack, "canary") is RolloutPhase.COMPLETED)
    await eventually(lambda: stack.running("canary") == everyone)
    assert paris <= stack.running("canary")


async def test_paused_resumed_and_promoted_by_a_person(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("steered"))
    await eventually(lambda: stack.running("steered") == everyone)
    waiting = "{name: three, count: 3, needsPromotion: true}"
    await stack.apply(staged("steered", "2", waiting))
    await eventually(lambda: len(stack.running("steered")) == 3)

    paused = await stack.cli("rollout", "pause", "steered", "--yes")
    assert paused.code == 0, paused.stderr
    await eventually(lambda: phase(stack, "steered") is RolloutPhase.PAUSED)
    again = await stack.cli("rollout", "pause", "steered", "--yes")
    assert again.code == 0
    assert "nothing to pause: the rollout of default/steered is Paused" in again.stderr
    resumed = await stack.cli("rollout", "resume", "steered", "--yes")
    assert resumed.code == 0, resumed.stderr
    await eventually(lambda: phase(stack, "steered") is RolloutPhase.PROGRESSING)
    promoted = await stack.cli("rollout", "promote", "steered", "--yes")
    assert promoted.code == 0, promoted.stderr
    await eventually(lambda: stack.running("steered") == everyone)


async def test_reverted_by_a_person_all_devices_have_the_version_before(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("back"))
    await eventually(lambda: stack.running("back") == everyone)
    before = await stack.started_at(everyone, "back")
    await stack.apply(staged("back", "2", "{name: three, count: 3, soakSeconds: 600}"))
    await eventually(lambda: len(stack.running("back")) == 3)

    reverted = await stack.cli("rollout", "revert", "back", "--confirm", str(len(everyone)))

    assert reverted.code == 0, reverted.stderr
    await eventually(lambda: phase(stack, "back") is RolloutPhase.REVERTED)
    status = await stack.status("back")
    assert status is not None
    assert status.rollout is not None
    assert status.rollout.reason == "RevertedByUser"

    async def untouched() -> int:
        after = await stack.started_at(everyone, "back")
        return sum(after[device] == before[device] for device in everyone)

    assert await untouched() == len(everyone) - 3
