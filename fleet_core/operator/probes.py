"""What machines ask an operator by HTTP: ``/healthz``, ``/readyz``, ``/metrics`` for Prometheus.

It serves whoever reaches the address: it tells counts and names of Deployments, and takes nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from fleet_core.errors import CannotConnectError
from fleet_core.operator.recovery import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from prometheus_client.metrics_core import Metric

    from fleet_core.operator.controller import Operator

STUCK_AFTER_S: Final = 10.0
"""An operator whose own beat, four times a second, is as old as this is stuck."""
_COUNTERS: Final = (
    ("entries_written", "Desired entries written."),
    ("entries_removed", "Desired entries removed."),
    ("manifests_written", "Device manifests written."),
    ("statuses_written", "Deployment statuses written."),
    ("writes_refused", "Writes that NATS did not take, and that were tried again."),
)
_COUNTS: Final = ("succeeded", "pending", "failed", "offline")


@asynccontextmanager
async def probes(operator: Operator, host: str, port: int) -> AsyncIterator[None]:
    """Answer on an address for as long as the block lasts.

    Raises:
        CannotConnectError: the address is taken, or none of this machine's.
    """
    registry = CollectorRegistry()
    registry.register(OperatorCollector(operator))
    ProcessCollector(registry=registry)
    runner = web.AppRunner(_application(operator), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotConnectError(
                f"cannot listen on {host}:{port}: {error.strerror}", remedy="--listen HOST:PORT"
            ) from error
        yield
    finally:
        await runner.cleanup()


def _application(operator: Operator) -> web.Application:
    counts, process = CollectorRegistry(), CollectorRegistry()
    counts.register(OperatorCollector(operator))
    ProcessCollector(registry=process)

    async def healthz(_request: web.Request) -> web.Response:
        silent_s = operator.silent_s
        stuck = silent_s > STUCK_AFTER_S
        words = f"stuck for {silent_s:.0f} s" if stuck else "ok"
        return web.Response(text=f"{words}\n", status=503 if stuck else 200)

    async def readyz(_request: web.Request) -> web.Response:
        stage = operator.recovery.stage
        # Converging after a change is everyday work; before the first time it is recovery.
        ready = stage is Stage.STANDBY or operator.recovery.converged_after_s is not None
        missing = ", ".join(operator.missing)
        words = f"{stage}: waiting for {missing}" if missing else str(stage)
        return web.Response(text=f"{words}\n", status=200 if ready and not missing else 503)

    async def metrics(_request: web.Request) -> web.Response:
        # The operator's counts belong to this thread; the process's are read from files.
        text = generate_latest(counts) + await asyncio.to_thread(generate_latest, process)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application(client_max_size=1024)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics)
    return application


class OperatorCollector(Collector):
    """An operator's counts, read when they are asked for."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    def collect(self) -> Iterator[Metric]:
        """Return all metrics as they stand."""
        report = self._operator.report()
        for name, help_ in _COUNTERS:
            yield CounterMetricFamily(f"fleet_operator_{name}", help_, report[name])
        refused = CounterMetricFamily(
            "fleet_operator_payloads_refused", "Payloads refused at the door.", labels=["bucket"]
        )
        for bucket, count in report["payloads_refused"].items():
            refused.add_metric([bucket], count)
        yield refused
        stages = GaugeMetricFamily(
            "fleet_operator_stage", "1 for the stage that it is in.", labels=["stage"]
        )
        for stage in Stage:
            stages.add_metric([stage.value], stage is self._operator.recovery.stage)
        yield stages
        yield GaugeMetricFamily(
            "fleet_operator_writes",
            "1 where this operator is the one that writes.",
            report["writes"],
        )
        yield from self._fleet()

    def _fleet(self) -> Iterator[Metric]:
        fleet = self._operator.fleet
        here = [fleet.liveness.is_online(device) for device in fleet.wants.devices]
        online = sum(here)
        devices = GaugeMetricFamily("fleet_devices", "Devices that are known.", labels=["state"])
        devices.add_metric(["online"], online)
        devices.add_metric(["offline"], len(here) - online)
        yield devices
        counts = GaugeMetricFamily(
            "fleet_deployment_devices",
            "Devices that a Deployment selects.",
            labels=["namespace", "name", "state"],
        )
        phases = GaugeMetricFamily(
            "fleet_deployment_rollout",
            "1 for the phase that a Deployment's rollout is in.",
            labels=["namespace", "name", "phase"],
        )
        for key in fleet.wants.by_key:
            aggregate = fleet.aggregation.tallies[key].aggregate()
            for state in _COUNTS:
                counts.add_metric([*key, state], getattr(aggregate, state))
            rollout = fleet.rollouts.statuses.get(key)
            if rollout is not None:
                phases.add_metric([*key, rollout.phase.value], 1)
        yield counts
        yield phases
