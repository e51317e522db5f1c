"""Deployments and failures of a small fleet that stands still."""

from __future__ import annotations

from fleet_core.contracts.base import encode
from fleet_core.contracts.resources import Aggregate, Deployment, DeploymentStatus, LastError
from fleet_core.contracts.states import Failure, Phase
from tests.operator.fleets import deployment, moment
from tests.tui.screens.fleet_sample import sample_fleet
from tests.view.fleets import NOW_S, FedView

LOG = "migrate: connecting\nTraceback (most recent call last):\nno route to host \x1b[31mdb\x1b[0m"


def put_deployment(fed: FedView, resource: Deployment, **counts: int) -> None:
    """A Deployment, and how far the operator says it is."""
    key = f"{resource.metadata.namespace}.{resource.metadata.name}"
    fed.put("deployments", key, encode(resource))
    error = None
    if counts.get("failed"):
        error = LastError(device_id="berlin-kiosk-003", message="exit 3", at=moment(NOW_S))
    matched = sum(counts.values())
    aggregate = Aggregate(matched_device_count=matched, last_error=error, **counts)
    status = DeploymentStatus(aggregate=aggregate, observed_generation=1)
    fed.put("deployment-status", key, encode(status))


def fail(fed: FedView, device: str, exit_code: int, *, container: str = "migrate") -> None:
    """A device on which an init container fails, with the last lines of its log."""
    failure = Failure(container=container, init=True, cause="Error", exit_code=exit_code, log=LOG)
    fed.state(
        device,
        "web",
        phase=Phase.PENDING,
        reason="Init:CrashLoopBackOff",
        failure=failure,
    )


def deployed_fleet() -> FedView:
    """Forty devices, three Deployments, two causes of failure."""
    fed = sample_fleet()
    labels = {"site": "berlin"}
    at_s = NOW_S - 7_200
    web = deployment("web", labels=labels, generation=2, created_s=at_s)
    put_deployment(fed, web, succeeded=12, pending=4, failed=3, offline=1)
    put_deployment(fed, deployment("metrics", created_s=at_s), succeeded=40)
    put_deployment(fed, deployment("cache", namespace="edge", created_s=at_s), succeeded=0)
    for number in (3, 7, 11):
        fail(fed, f"berlin-kiosk-{number:03}", 3)
    fail(fed, "paris-van-010", 1)
    # What the sample's other failing devices say has no cause: here they are well.
    for device in ("berlin-kiosk-017", "paris-van-024", "berlin-kiosk-031", "paris-van-038"):
        fed.state(device, "web")
    return fed
