"""The agent on a real podman: killed at every step, its podman killed, its containers changed."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from fleet_core.contracts.base import decode
from fleet_core.contracts.commands import ExecReply
from fleet_core.contracts.states import Phase
from tests.agent.podman_agent import PodmanAgent, init, web
from tests.agent.wire import DEVICE, Operator
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.nats_server import NatsServer
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(120)]


@pytest.fixture
async def agent(
    podman: PodmanMachine, nats_server: NatsServer, tmp_path: Path
) -> AsyncIterator[PodmanAgent]:
    agent = PodmanAgent(podman, nats_server.url, tmp_path)
    await agent.start()
    yield agent
    await agent.end()


def update(agent: PodmanAgent) -> bytes:
    """The version that is rolled out while the agent is killed."""
    inits = (init("first"), init("second"))
    return agent.score(web(version="2", on_term="sleep 0.5; exit 0"), inits=inits)


async def running_one(agent: PodmanAgent, operator: Operator) -> None:
    """Have the version before run."""
    payload = agent.score(web(on_term="sleep 0.5; exit 0"))
    await operator.running("shop", await operator.order("shop", payload), 20)


async def converged(agent: PodmanAgent, operator: Operator, payload: bytes) -> None:
    """See that the update is what runs, all of it, and nothing else."""
    entry = operator.deployments["shop"]
    await operator.running("shop", entry, 30)
    containers = agent.containers()
    assert set(containers) <= {"fleet-shop.web", "fleet-shop.first", "fleet-shop.second"}
    label = containers["fleet-shop.web"]["Labels"]["fleet.nationtech.io/spec-hash"]
    assert label == entry.spec_hash
    assert agent.runs_of("first") + agent.runs_of("second") in {2, 3}, agent.told()
    assert payload


@pytest.mark.parametrize(
    "step",
    ["as it is ordered", "in the first init", "in the second init", "between old and new", "after"],
)
async def test_killed_at_any_step_of_an_update_it_converges(
    agent: PodmanAgent, operator: Operator, step: str
) -> None:
    await running_one(agent, operator)
    payload = update(agent)
    await operator.order("shop", payload)
    match step:
        case "in the first init":
            await agent.has_told("first", "Starting")
        case "in the second init":
            await agent.has_told("second", "Starting")
        case "between old and new":
            await agent.has_told("second", "Exiting")
            await asyncio.sleep(0.2)  # the old service takes half a second to end
        case "after":
            await agent.has_told("web", "Starting", 2)
    await agent.end(signal.SIGKILL)
    await agent.start()
    await converged(agent, operator, payload)


async def test_killed_while_nothing_happens_it_touches_nothing(
    agent: PodmanAgent, operator: Operator
) -> None:
    payload = agent.score(web(), inits=(init("first"),))
    entry = await operator.order("shop", payload)
    await operator.running("shop", entry, 20)
    before = agent.container_id()
    agent.podman.run("rm", "fleet-shop.first")
    for _ in range(2):
        await agent.end(signal.SIGKILL)
        operator.states.clear()
        await agent.start()
        await operator.running("shop", entry, 20)
    assert agent.container_id() == before
    assert agent.runs_of("first") == 1


async def test_told_to_end_it_ends_soon_and_leaves_the_containers(
    agent: PodmanAgent, operator: Operator
) -> None:
    await running_one(agent, operator)
    before = agent.container_id()
    await operator.order("slow", agent.score(web(), inits=(init("long", takes_s=60),)))
    await agent.has_told("long", "Starting")
    started = time.monotonic()
    assert await agent.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 10
    assert agent.container_id() == before
    states = {name: each["State"] for name, each in agent.containers().items()}
    assert states == {"fleet-shop.web": "running", "fleet-slow.long": "running"}


async def test_an_agent_that_comes_back_adopts_the_init_container_that_runs(
    agent: PodmanAgent, operator: Operator
) -> None:
    inits = (init("first"), init("long", takes_s=3))
    entry = await operator.order("shop", agent.score(web(), inits=inits))
    await agent.has_told("long", "Starting")
    running = agent.container_id("long")
    await agent.end(signal.SIGKILL)
    await agent.start()
    await operator.running("shop", entry, 20)
    assert agent.container_id("long") == running
    assert [agent.runs_of(name) for name in ("first", "long")] == [1, 1]


async def test_what_is_meddled_with_is_mended_within_a_period_and_told(
    agent: PodmanAgent, operator: Operator
) -> None:
    agent.podman.run(
        "run", "--detach", "--name", "foreign", "localhost/fleet-test:1", "sleep", "99"
    )
    foreign = str(agent.containers()["foreign"]["Id"])
    meddling = {
        "stopped": ("stop", "--time", "1"),
        "removed": ("rm", "--force", "--time", "0"),
        "killed": ("kill", "--signal", "KILL"),
    }
    payload = agent.score(web(), inits=(init("first"),))
    for name in meddling:
        await operator.running(name, await operator.order(name, payload), 20)
    before = {name: agent.container_id(deployment=name) for name in meddling}
    for name, words in meddling.items():
        agent.podman.run(*words, f"fleet-{name}.web")

    def mended(name: str) -> bool:
        state = operator.states[name]
        return state.phase is Phase.RUNNING and state.container_statuses[0].restart_count == 1

    for name, container_id in before.items():
        await eventually(lambda name=name: mended(name), timeout_s=10, message=name)
        assert agent.container_id(deployment=name) != container_id
    assert agent.runs_of("first") == len(meddling)
    assert str(agent.containers()["foreign"]["Id"]) == foreign
    assert agent.containers()["foreign"]["State"] == "running"


async def test_a_container_that_was_made_anew_by_hand_is_replaced(
    agent: PodmanAgent, operator: Operator
) -> None:
    await running_one(agent, operator)
    agent.podman.run("rm", "--force", "--time", "0", "fleet-shop.web")
    agent.podman.run(
        *("run", "--detach", "--name", "fleet-shop.web", "localhost/fleet-test:1", "sleep", "99"),
        check=False,
    )

    def is_ours() -> bool:
        found = agent.containers().get("fleet-shop.web")
        labels = (found or {}).get("Labels") or {}
        return bool(labels.get("fleet.nationtech.io/spec-hash"))

    await eventually(is_ours, timeout_s=20)


async def test_without_its_podman_it_says_so_and_comes_back(
    agent: PodmanAgent, operator: Operator
) -> None:
    await running_one(agent, operator)
    before = agent.container_id()
    agent.podman.stop()

    def told() -> bool:
        return operator.states["shop"].reason == "RuntimeUnavailable"

    await eventually(told, timeout_s=20)
    assert b"uptime_s" in await operator.command("ping")
    agent.podman.start()
    await operator.running("shop", operator.deployments["shop"], 20)
    assert agent.container_id() == before


async def test_what_is_dropped_is_removed_with_its_network_and_keeps_its_volume(
    agent: PodmanAgent, operator: Operator
) -> None:
    service = web(volumes=["data:/data"])
    await operator.running("shop", await operator.order("shop", agent.score(service)), 20)
    assert "fleet-shop" in agent.podman.run("network", "ls")
    del operator.deployments["shop"]
    operator.generation += 1
    await operator.tell()
    await eventually(lambda: "shop" in operator.deleted, timeout_s=20)
    assert agent.containers() == {}
    assert "fleet-shop" not in agent.podman.run("network", "ls")
    assert "fleet-shop.data" in agent.podman.run("volume", "ls")


async def test_fifty_deployments_at_once_and_ping_is_answered_all_the_while(
    agent: PodmanAgent, operator: Operator
) -> None:
    await eventually(lambda: operator.heartbeats, timeout_s=10)
    names = [f"shop-{index}" for index in range(50)]
    for name in names:
        await operator.order(name, agent.score(web()))
    rounds: list[float] = []
    deadline = time.monotonic() + 90
    while sum(state.phase is Phase.RUNNING for state in operator.states.values()) < len(names):
        assert time.monotonic() < deadline, f"{len(operator.states)} {DEVICE}"
        started = time.monotonic()
        await operator.command("ping")
        rounds.append(time.monotonic() - started)
        await asyncio.sleep(0.02)
    rounds.sort()
    assert rounds[int(len(rounds) * 0.99)] < 0.2


async def test_programs_run_in_containers_and_on_the_device(
    agent: PodmanAgent, operator: Operator
) -> None:
    await running_one(agent, operator)

    async def ran(**asked: Any) -> ExecReply:
        reply = await operator.command("exec", request_id=uuid4().hex, **asked)
        return decode(ExecReply, reply)

    inside = await ran(deployment="shop", shell="echo $VERSION; echo oh >&2; exit 7")  # noqa: S604 - of the container
    assert (inside.exit_code, inside.stdout, inside.stderr) == (7, "1\n", "oh\n")
    outside = await ran(argv=["ls", str(agent.folder)])
    assert "config.toml" in outside.stdout
    over = await ran(deployment="shop", argv=["sleep", "60"], timeout_s=1)
    assert over.exit_code is None
    absent = await operator.command(
        "exec", request_id=uuid4().hex, deployment="shop", container="none", argv=["id"]
    )
    assert b"has no container" in absent


async def test_with_its_disk_full_it_goes_on(
    podman: PodmanMachine,
    nats_server: NatsServer,
    operator: Operator,
    tmp_path: Path,
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 64 * 1024)
    (tmp_path / "state").symlink_to(small_disk)
    agent = PodmanAgent(podman, nats_server.url, tmp_path)
    await agent.start()
    try:
        await running_one(agent, operator)
        assert b"uptime_s" in await operator.command("ping")
        assert "No space left" in agent.log.read_text()
        ballast.unlink()
        kept = small_disk / "deployments" / "shop.json"
        await eventually(kept.exists, timeout_s=20)
    finally:
        await agent.end()
