"""One agent on a real podman: ``python -m tests.bench podman [--updates N] [--seconds N]``.

The time of an update is taken from writing the order to hearing ``Running`` of it. Beside it stands
the same work done by bare calls to the same podman in the same run: stop, remove, create, start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
from podman import PodmanClient

from fleet_agent.runtime.contract import ContainerKey, ContainerSpec, Role
from fleet_agent.runtime.podman.creating import create_body
from fleet_core.contracts.base import decode
from fleet_core.contracts.containers import Service
from fleet_core.messaging import ConnectionSettings, connect, ensure_buckets
from tests.agent.podman_agent import PodmanAgent, web
from tests.agent.wire import Operator
from tests.support.nats_server import NatsServer
from tests.support.podman import PodmanMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

UPDATE_BUDGET_S: Final = 1.5
OVERHEAD_BUDGET_S: Final = 0.25
RSS_BUDGET_MB: Final = 80.0
IDLE_BUDGET_PERCENT: Final = 1.0
SERVICES: Final = 20


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench podman")
    parser.add_argument("--updates", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it is watched idle")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as directory:
        folder = Path(directory)
        (folder / "p").mkdir()
        machine = PodmanMachine(folder / "p")
        machine.make_image()
        machine.start()
        server = NatsServer(folder)
        server.start()
        try:
            agent = PodmanAgent(machine, server.url, folder, drift_s=60)
            asyncio.run(measure(agent, options.updates, options.seconds))
        finally:
            server.stop()
            machine.destroy()


async def measure(agent: PodmanAgent, updates: int, seconds: float) -> None:
    """Update one deployment again and again; then hold twenty, and idle."""
    async with await connect(ConnectionSettings((agent.url,), name="bench")) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()
        await agent.start()
        try:
            took_s = [await update_s(agent, operator, str(index)) for index in range(updates)]
            bare_s = [await asyncio.to_thread(bare_update_s, agent) for _ in range(updates)]
            update, bare = statistics.median(took_s[1:]), statistics.median(bare_s[1:])
            show("spec change to Running, median", update, "s", UPDATE_BUDGET_S)
            show("  the slowest", max(took_s[1:]), "s")
            show("  the same by bare calls, median", bare, "s")
            show("  overhead of the agent", update - bare, "s", OVERHEAD_BUDGET_S)
            await idle(agent, operator, seconds)
        finally:
            await agent.end()


async def update_s(agent: PodmanAgent, operator: Operator, version: str) -> float:
    """Return the seconds from writing an order to hearing that it runs."""
    payload = agent.score(web(version=version))
    started = time.perf_counter()
    entry = await operator.order("shop", payload)
    await operator.running("shop", entry, 30)
    return time.perf_counter() - started


def bare_update_s(agent: PodmanAgent) -> float:
    """Return the seconds that podman itself takes to replace such a service."""
    payload = json.loads(agent.score(web(version="bare")))
    service = decode(Service, json.dumps(payload["data"]["services"][0]).encode())
    key = ContainerKey("bare", "web")
    spec = ContainerSpec(key, service, Role.SERVICE, "0" * 16, "boot")
    body, name = create_body(spec), key.runtime_name
    with PodmanClient(base_url=f"unix://{agent.podman.socket}") as client:
        api = client.api
        headers = {"Content-Type": "application/json"}
        network = {"name": "fleet-bare", "driver": "bridge", "dns_enabled": True}
        api.post("/networks/create", data=json.dumps(network), headers=headers)
        started = time.perf_counter()
        if api.get(f"/containers/{name}/json").status_code == 200:
            api.post(f"/containers/{name}/stop", params={"timeout": "10"})
            api.delete(f"/containers/{name}", params={"force": "true"})
        api.post("/containers/create", data=json.dumps(body), headers=headers)
        api.post(f"/containers/{name}/start").raise_for_status()
        return time.perf_counter() - started


async def idle(agent: PodmanAgent, operator: Operator, seconds: float) -> None:
    """Hold twenty services, and watch the agent and podman's service do nothing."""
    agent.podman.run("rm", "--all", "--force", "--time", "0", "--filter", "name=fleet-bare")
    for index in range(SERVICES):
        await operator.order(f"idle-{index}", agent.score(web()))
    for index in range(SERVICES):
        await operator.running(f"idle-{index}", operator.deployments[f"idle-{index}"], 60)
    process = agent.process
    assert process is not None
    watched = psutil.Process(process.pid)
    await asyncio.sleep(15)  # each version proves itself first
    before, since = watched.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    after, spent_s = watched.cpu_times(), time.monotonic() - since
    busy_s = after.user + after.system - before.user - before.system
    show(
        f"memory (RSS), {SERVICES + 1} services",
        watched.memory_info().rss / 1e6,
        "MB",
        RSS_BUDGET_MB,
    )
    show(f"idle, over {spent_s:.0f} s", 100 * busy_s / spent_s, "%", IDLE_BUDGET_PERCENT)


def show(what: str, value: float, unit: str, budget: float | None = None) -> None:
    """Print a figure, and whether it keeps to its budget."""
    kept: Any = (
        "" if budget is None else f"   (budget {budget:g}: {'ok' if value < budget else 'OVER'})"
    )
    print(f"{what:48} {value:8.3f} {unit}{kept}", flush=True)
