"""Forty devices in two cities, some of them failing, stale or offline."""

from __future__ import annotations

from fleet_core.contracts.states import Phase
from tests.view.fleets import NOW_S, FedView

COUNT = 40


def sample_fleet() -> FedView:
    """Return a fleet that stands still at `NOW_S`."""
    fed = FedView()
    for number in range(COUNT):
        device = f"berlin-kiosk-{number:03}" if number % 2 else f"paris-van-{number:03}"
        site = "berlin" if number % 2 else "paris"
        version = "1.3.2" if number % 3 else "1.2.9"
        fed.info(device, version=version, site=site, ring=str(number % 4), hw="pi5")
        fed.manifest(device, "web")
        fed.beat(device, NOW_S - (4_000 if number == 0 else 0 if number % 10 else 100))
        fails = number % 7 == 3
        fed.state(
            device,
            "web",
            phase=Phase.FAILED if fails else Phase.RUNNING,
            reason="Init:CrashLoopBackOff" if fails else "Running",
            restarts=number % 7,
        )
    fed.synced()
    return fed
