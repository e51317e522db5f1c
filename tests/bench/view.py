"""The read model: ``python -m tests.bench view [--devices N]``.

Feeds the handlers as a feed does, with N devices and three states each: microseconds a message, the
first tick, a tick that finds nothing, and a few filters. What it takes in memory is measured by the
benchmark of the terminal UI, in a process that holds nothing else.
"""

from __future__ import annotations

import argparse
import gc
import time
from typing import TYPE_CHECKING

from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import (
    DeviceInfo,
    DeviceManifest,
    Inventory,
    ManifestEntry,
    encode_heartbeat,
)
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    DeploymentState,
    Phase,
    RunningState,
    TerminatedState,
)
from fleet_core.view import FleetView, parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

from tests.view.fleets import HASH, NOW_S, moment

NAMES = ("web", "metrics", "cache")
SITES = ("berlin", "paris", "lyon", "hamburg")
FILTERS = ("", "kiosk-0420", "site=berlin", "site=berlin and not version~1.2", "deploy:web=failed")


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench view")
    parser.add_argument("--devices", type=int, default=100_000)
    count = parser.parse_args(arguments).devices
    view = FleetView()
    ids = [f"{SITES[number % 4]}-kiosk-{number:06}" for number in range(count)]
    gc.disable()  # as the terminal UI does while it loads
    feed(view, "device-info", infos(ids), count)
    feed(view, "device-heartbeat", beats(ids, NOW_S), count)
    feed(view, "device-manifest", manifests(ids), count)
    feed(view, "device-state", states(ids), 3 * count)
    gc.enable()
    timed("first tick", lambda: view.tick(NOW_S + 1))
    timed("tick that finds nothing", lambda: view.tick(NOW_S + 2))
    feed(view, "device-heartbeat", beats(ids, NOW_S + 30), count, again=True)
    for text in FILTERS:
        chosen = parse_filter(text)
        timed(f"filter {text!r}", lambda c=chosen: c.select(view.devices, view.now_s))  # type: ignore[misc]
    timed("failures", view.failures)


def feed(
    view: FleetView,
    bucket: str,
    messages: Iterable[tuple[str, bytes]],
    count: int,
    *,
    again: bool = False,
) -> None:
    """Feed one bucket, and print what a message costs."""
    handler = view.handler(bucket)
    ready = list(messages)
    at_s = NOW_S + 30 if again else NOW_S
    started = time.perf_counter()
    for revision, (key, value) in enumerate(ready, start=1):
        handler.on_put(key, value, revision, at_s)
    took_s = time.perf_counter() - started
    handler.on_synced()
    what = f"{bucket} again" if again else bucket
    print(f"{what}: {took_s:.2f} s, {took_s / count * 1e6:.1f} µs a message")
    assert view.counters.rejected == 0, view.counters.recent


def timed(what: str, work: Callable[[], object]) -> None:
    """Print how long something takes."""
    started = time.perf_counter()
    work()
    print(f"{what}: {(time.perf_counter() - started) * 1_000:.1f} ms")


def infos(ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Return what devices say of themselves."""
    for number, device in enumerate(ids):
        info = DeviceInfo(
            device_id=device,
            labels={"site": SITES[number % 4], "ring": str(number % 3), "hw": "pi5"},
            inventory=Inventory(hostname=device, os="Debian GNU/Linux 12", arch="aarch64", cpus=4),
            agent_version="1.3.2" if number % 5 else "1.2.9",
        )
        yield f"info.{device}", encode(info)


def beats(ids: Iterable[str], at_s: float) -> Iterator[tuple[str, bytes]]:
    """Return a heartbeat of each device."""
    return ((f"heartbeat.{device}", encode_heartbeat(device, moment(at_s))) for device in ids)


def manifests(ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Return what each device should run."""
    entries = {name: ManifestEntry(generation=1, spec_hash=HASH) for name in NAMES}
    for number, device in enumerate(ids):
        yield device, encode(DeviceManifest(generation=number + 1, deployments=entries))


def states(ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Return three states of each device, an init container and a service in each."""
    ended = ContainerState(terminated=TerminatedState(exit_code=0, started_at=moment(NOW_S)))
    runs = ContainerState(running=RunningState(started_at=moment(NOW_S)))
    image = "registry.example/shop/web:1.4"
    for device in ids:
        for name in NAMES:
            state = DeploymentState(
                device_id=device,
                deployment=name,
                phase=Phase.RUNNING,
                last_event_at=moment(NOW_S),
                generation=1,
                spec_hash=HASH,
                reason="Running",
                init_container_statuses=[ContainerStatus(name="init", image=image, state=ended)],
                container_statuses=[
                    ContainerStatus(name="main", image=image, state=runs, ready=True)
                ],
            )
            yield f"state.{device}.{name}", encode(state)
