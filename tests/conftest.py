"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from tests.support import kubernetes, podman
from tests.support.kubernetes import KubernetesMachine
from tests.support.nats_server import NatsServer
from tests.support.podman import PodmanMachine

if TYPE_CHECKING:
    from collections.abc import Iterator


UNIT_TIMEOUT_S = 2.0
UNITS = (
    "tests/contracts/",
    "tests/view/",
    "tests/agent/health/test_monitor.py",
    "tests/agent/health/test_probing.py",
    "tests/agent/test_back_off.py",
    "tests/agent/test_reconciler.py",
    "tests/agent/test_init_cases_simulated.py",
    "tests/agent/test_updates.py",
    "tests/operations/test_contexts.py",
    "tests/operations/test_durations.py",
    "tests/operations/test_manifests.py",
    "tests/operator/test_aggregation.py",
    "tests/operator/test_device_writes.py",
    "tests/operator/test_liveness.py",
    "tests/operator/test_rollout_engine.py",
    "tests/operator/test_rollout_properties.py",
    "tests/operator/test_wants.py",
    "tests/tui/sources/",
    "tests/tui/test_history.py",
    "tests/tui/test_locations.py",
    "tests/tui/test_visits.py",
)
"""Tests of pure parts; nothing real is started in them."""


NEVER_BLOCKING = ["fleet_core.messaging", "fleet_core.operator", "fleet_core.view", "fleet_agent"]
"""What reads a file, sleeps or waits for a lock in here, on an event loop, fails the test."""


# xdist reads the groups in this same hook: unless ours is first, it sees none and says nothing.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a unit test its two seconds; a property test, which is a hundred of them, has ten.

    And keep together what shares a fixture or the machine: a file's tests run in one worker, all
    tests of podman in one too, since two podmans edit the machine's packet filter in a race, and
    all tests of Kubernetes, which share an API server.
    """
    for item in items:
        file = item.nodeid.partition("::")[0]
        shared = (name for name in ("podman", "kubernetes") if item.get_closest_marker(name))
        together = next(shared, file)
        item.add_marker(pytest.mark.xdist_group(together))
        if item.nodeid.startswith(UNITS):
            item.add_marker(pytest.mark.unit)
            if not getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                # Not its fixtures': the last test of a worker takes an API server down.
                item.add_marker(pytest.mark.timeout(UNIT_TIMEOUT_S, func_only=True))


# The machines are noisy: how long an example takes says nothing of it.
settings.register_profile("fleet", deadline=None)
settings.load_profile("fleet")


def pytest_configure() -> None:
    """Hear of ctrl+c again.

    A shell that runs the tests in the background has it ignored, and whatever they start would too.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fail a test in which what serves devices and links blocks the event loop."""
    with blockbuster_ctx(NEVER_BLOCKING):
        yield


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server of this test's own."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def podman_machine() -> Iterator[PodmanMachine]:
    """The test process's own podman, with its service running."""
    reason = podman.why_not()
    if reason:
        if os.environ.get("FLEET_TEST_PODMAN") == "required":
            pytest.fail(f"podman is required here: {reason}")
        pytest.skip(f"needs podman: {reason}")
    # podman takes no run root of more than 50 characters.
    machine = PodmanMachine(Path(tempfile.mkdtemp(prefix="fleet-podman-", dir="/tmp")))
    machine.make_image()
    machine.start()
    yield machine
    machine.destroy()


@pytest.fixture(name="podman")
def clean_podman(podman_machine: PodmanMachine) -> Iterator[PodmanMachine]:
    """That podman, for one test: what the test leaves is removed."""
    podman_machine.start()
    yield podman_machine
    podman_machine.clean()


@pytest.fixture(scope="session")
def kubernetes_machine() -> Iterator[KubernetesMachine]:
    """A real API server that knows the fleet's resources."""
    reason = kubernetes.why_not()
    if reason:
        if os.environ.get("FLEET_TEST_KUBERNETES") == "required":
            pytest.fail(f"Kubernetes is required here: {reason}")
        pytest.skip(f"needs Kubernetes: {reason}")
    machine = KubernetesMachine()
    try:
        machine.up()
        yield machine
    finally:
        machine.down()


@pytest.fixture(name="kubernetes")
def clean_kubernetes(kubernetes_machine: KubernetesMachine) -> Iterator[KubernetesMachine]:
    """That API server, for one test: what the test leaves is removed."""
    yield kubernetes_machine
    kubernetes_machine.clean()
