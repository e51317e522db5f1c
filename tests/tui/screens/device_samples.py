"""A device with a failing, a healthy and an outdated deployment, as it would describe itself."""

from __future__ import annotations

from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, Inventory, ManifestEntry
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    DeploymentState,
    Failure,
    Phase,
    RunningState,
    TerminatedState,
    WaitingState,
)
from tests.support.stored_fleet import StoredView
from tests.view.fleets import NOW_S, moment

DEVICE = "berlin-kiosk-018"
WANTED = "aaaaaaaaaaaaaaaa"
OLD = "bbbbbbbbbbbbbbbb"
LOG = "psycopg.OperationalError: could not translate host name\nmigrate: giving up\n"


def ended(code: int, *, ago_s: float, took_s: float = 2) -> ContainerState:
    return ContainerState(
        terminated=TerminatedState(
            exit_code=code,
            reason="Error" if code else "Completed",
            started_at=moment(NOW_S - ago_s - took_s),
            finished_at=moment(NOW_S - ago_s),
        )
    )


def running(*, ago_s: float) -> ContainerState:
    return ContainerState(running=RunningState(started_at=moment(NOW_S - ago_s)))


def waiting(reason: str) -> ContainerState:
    return ContainerState(waiting=WaitingState(reason=reason))


def failing_web(log: str = LOG, error: str = "migrate exited 3") -> DeploymentState:
    return DeploymentState(
        device_id=DEVICE,
        deployment="web",
        phase=Phase.PENDING,
        last_event_at=moment(NOW_S - 240),
        last_error=error,
        generation=8,
        spec_hash=WANTED,
        reason="Init:CrashLoopBackOff",
        init_container_statuses=[
            ContainerStatus(name="fetch", image="shop/fetch:1", state=ended(0, ago_s=400)),
            ContainerStatus(
                name="migrate",
                image="shop/web:1.4",
                state=waiting("CrashLoopBackOff"),
                last_state=ended(3, ago_s=240),
                restart_count=7,
            ),
        ],
        container_statuses=[
            ContainerStatus(name="web", image="shop/web:1.4", state=waiting("PodInitializing"))
        ],
        failure=Failure(container="migrate", init=True, cause="Error", exit_code=3, log=log),
    )


def healthy(name: str, *, generation: int = 2, spec: str = WANTED) -> DeploymentState:
    return DeploymentState(
        device_id=DEVICE,
        deployment=name,
        phase=Phase.RUNNING,
        last_event_at=moment(NOW_S - 7_200),
        generation=generation,
        spec_hash=spec,
        reason="Running",
        container_statuses=[
            ContainerStatus(
                name="main", image=f"shop/{name}:2", state=running(ago_s=7_200), ready=True
            )
        ],
    )


def device_info(**labels: str) -> DeviceInfo:
    return DeviceInfo(
        device_id=DEVICE,
        labels=labels or {"site": "berlin", "ring": "2", "hw": "pi5"},
        agent_version="1.3.2",
        boot_id="5f2c1d7e-boot",
        started_at=moment(NOW_S - 90_000),
        inventory=Inventory(
            hostname="kiosk-018",
            os="Debian GNU/Linux 12",
            kernel="6.1.0-18-arm64",
            arch="aarch64",
            model="Raspberry Pi 5",
            cpus=4,
            memory_bytes=8 * 2**30,
            runtime="podman 4.3.1",
        ),
    )


def wanted(**generations: int) -> DeviceManifest:
    entries = {
        name: ManifestEntry(generation=number, spec_hash=WANTED)
        for name, number in generations.items()
    }
    return DeviceManifest(generation=1, deployments=entries)


def tell(fed: StoredView, *states: DeploymentState) -> None:
    for state in states:
        fed.put("device-state", f"state.{state.device_id}.{state.deployment}", encode(state))


def stored_device(fed: StoredView | None = None) -> StoredView:
    """Return a fleet with the one device in it."""
    fed = fed or StoredView()
    fed.put("device-info", f"info.{DEVICE}", encode(device_info()))
    manifest = wanted(web=8, metrics=2, catalogue=8)
    fed.put("device-manifest", DEVICE, encode(manifest))
    fed.beat(DEVICE, NOW_S - 12)
    old = healthy("catalogue", generation=7, spec=OLD)
    tell(fed, failing_web(), healthy("metrics"), old)
    fed.synced()
    return fed
