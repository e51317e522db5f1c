"""What people do with ``fleet`` where a cluster holds the Deployments, and where they lack it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from fleet_core.operator.wants import Want
from tests.operator.fleets import deployment
from tests.support.stack import Finished, manifest
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.cluster.conftest import Operators
    from tests.operator.plant import Plant
    from tests.support.kubernetes import KubernetesMachine
    from tests.support.nats_server import NatsServer

    Fleet = Callable[..., Awaitable[Finished]]

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(120)]


@pytest.fixture
def fleet(kubernetes: KubernetesMachine, nats_server: NatsServer, tmp_path: Path) -> Fleet:
    """The command, in a context with the cluster (``prod``) or with NATS alone (``look``)."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[contexts.prod]\nnats = "{nats_server.url}"\nkubeconfig = "{kubernetes.kubeconfig}"\n'
        f'[contexts.look]\nnats = "{nats_server.url}"\n'
    )

    async def run(*words: str, stdin: str = "") -> Finished:
        environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fleet_core.cli", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, "FLEET_CONFIG": str(config)},
        )
        stdout, stderr = await process.communicate(stdin.encode())
        return Finished(process.returncode or 0, stdout.decode(), stderr.decode())

    return run


async def applied(fleet: Fleet, text: str) -> None:
    done = await fleet("--context", "prod", "apply", "-f", "-", "--yes", stdin=text)
    assert done.code == 0, done.stderr


async def test_changes_go_to_the_cluster_and_are_seen_through_nats(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators, fleet: Fleet
) -> None:
    await plant.device("a")
    async with operators():
        await applied(fleet, manifest("web", version="1"))
        await eventually_reads(lambda: plant.named("a"), ["web"])
        stored = kubernetes.get("fleetdep", "web")
        assert stored["spec"]["score"]["data"]["services"][0]["env"] == {"VERSION": "1"}
        kubernetes.kubectl("annotate", "fleetdep", "web", "example.com/owner=shop")
        await applied(fleet, manifest("web", version="2"))
        stored = kubernetes.get("fleetdep", "web")
        assert stored["metadata"]["annotations"]["example.com/owner"] == "shop"
        assert stored["metadata"]["finalizers"] == ["fleet.nationtech.io/finalizer"]

        async def history() -> list[int]:
            shown = await fleet("--context", "look", "rollout", "history", "web", "-o", "json")
            return [each["number"] for each in shown.json()] if shown.code == 0 else []

        await eventually_reads(history, [2, 1])
        undone = await fleet("--context", "prod", "rollout", "undo", "web", "--yes")
        assert undone.code == 0, undone.stderr
        await eventually_reads(history, [3, 2])
        deleted = await fleet("--context", "prod", "delete", "deployment", "web", "--yes")
        assert deleted.code == 0, deleted.stderr
        await eventually_reads(lambda: plant.named("a"), [])


async def test_a_rollout_is_told_through_the_cluster(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators, fleet: Fleet
) -> None:
    await plant.device("a")
    rollout = "{strategy: Staged, batches: [{name: canary, count: 1, soakSeconds: 900}]}"
    async with operators():
        await applied(fleet, f"{manifest('web')}\n  rollout: {rollout}\n")

        async def phase() -> str:
            shown = await fleet("--context", "look", "rollout", "status", "web", "-o", "json")
            found = shown.json() if shown.stdout else {}
            rollout = found.get("status", {}).get("rollout") or {}
            return str(rollout.get("phase", ""))

        await eventually_reads(phase, "Progressing", timeout_s=10)
        paused = await fleet("--context", "prod", "rollout", "pause", "web", "--yes")
        assert paused.code == 0, paused.stderr
        await eventually_reads(phase, "Paused", timeout_s=10)
        assert kubernetes.get("fleetdep", "web")["status"]["rollout"]["reason"] == "PausedByUser"


async def test_without_the_cluster_changes_are_refused_with_that_reason(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators, fleet: Fleet
) -> None:
    resource = deployment()
    await plant.device("a")
    async with operators():
        kubernetes.apply(
            {
                "apiVersion": "fleet.nationtech.io/v1alpha1",
                "kind": "Deployment",
                "metadata": {"name": "web"},
                "spec": resource.model_dump(mode="json", by_alias=True)["spec"],
            }
        )
        await eventually_reads(lambda: plant.entry("a", "web"), Want.of(resource).score)

        async def holder() -> bool:
            return await plant.bucket("control-plane").get("holder") is not None

        await eventually_reads(holder, True)
        for words in (
            ("apply", "-f", "-", "--yes"),
            ("delete", "deployment", "web", "--yes"),
            ("rollout", "pause", "web", "--yes"),
            ("rollout", "undo", "web", "--yes"),
        ):
            refused = await fleet("--context", "look", *words, stdin=manifest("other"))
            assert refused.code == 1, (words, refused)
            assert "held by the Kubernetes cluster" in refused.stderr, words
        assert kubernetes.get("fleetdep", "other") is None
