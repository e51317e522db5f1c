"""What every container runtime must do: one suite, run against each of them.

A subclass gives a fixture `device`, which makes a runtime on which the images `PLAIN` (an init
container exits 0 at once, a service runs), `FAILING` (exits 3 with a log), `SLOW` (an init
container that takes far too long) and `CRASHING` (a service that ends by itself with 1 within 3 s)
exist, `MISSING` does not, and that can wait.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytest

from fleet_agent.runtime.contract import (
    ContainerKey,
    ContainerRuntime,
    ContainerSpec,
    Exited,
    ImageNeverPulledError,
    ImageNotFoundError,
    ImagePullError,
    Role,
    RunState,
    TimedOut,
)
from fleet_core.contracts.containers import InitContainer, PullPolicy, Service
from fleet_core.errors import NotFoundError

PLAIN, FAILING, SLOW, CRASHING, MISSING = (
    f"registry.example/{name}:1" for name in ("plain", "failing", "slow", "crashing", "missing")
)


def service(name: str = "web", image: str = PLAIN, **changes: Any) -> ContainerSpec:
    return _spec(Service(name=name, image=image), Role.SERVICE, **changes)


def init(name: str = "migrate", image: str = PLAIN, **changes: Any) -> ContainerSpec:
    return _spec(InitContainer(name=name, image=image), Role.INIT, **changes)


def _spec(container: InitContainer | Service, role: Role, **changes: Any) -> ContainerSpec:
    values: dict[str, Any] = {
        "key": ContainerKey(changes.pop("deployment", "shop"), container.name),
        "container": container,
        "role": role,
        "spec_hash": "0123456789abcdef",
        "boot_id": "boot-1",
        "attempt": 0,
    }
    return ContainerSpec(**{**values, **changes})


class Device(ABC):
    """A runtime under test, and what the world does to it."""

    runtime: ContainerRuntime

    @abstractmethod
    async def wait(self, seconds: float) -> None:
        """Let time pass, as the runtime counts it."""


class RuntimeSuite:
    """The behaviour that the agent relies on."""

    @pytest.fixture
    async def ready(self, device: Device) -> Device:
        for image in (PLAIN, FAILING, SLOW, CRASHING):
            await device.runtime.pull_image(image)
        return device

    async def test_it_says_what_it_is(self, device: Device) -> None:
        assert await device.runtime.describe()

    async def test_an_image_is_pulled_once_and_a_missing_one_is_told(self, device: Device) -> None:
        await device.runtime.pull_image(PLAIN)
        await device.runtime.pull_image(PLAIN)
        with pytest.raises((ImageNotFoundError, ImagePullError)):
            await device.runtime.pull_image(MISSING)
        with pytest.raises(ImageNeverPulledError):
            await device.runtime.pull_image(MISSING, PullPolicy.NEVER)

    async def test_what_was_not_pulled_is_not_started(self, device: Device) -> None:
        with pytest.raises(ImageNotFoundError):
            await device.runtime.ensure_service_running(service(image=MISSING))
        with pytest.raises(ImageNotFoundError):
            await device.runtime.run_to_completion(init(image=MISSING), 5.0)

    async def test_a_service_runs_and_asking_again_changes_nothing(self, ready: Device) -> None:
        first = await ready.runtime.ensure_service_running(service())
        await ready.wait(0.1)
        again = await ready.runtime.ensure_service_running(service())
        assert first.container_id == again.container_id
        assert again.state is RunState.RUNNING
        assert again.started_at_s is not None
        (listed,) = await ready.runtime.list_managed_services()
        assert listed == await ready.runtime.container_status(service().key)
        assert (listed.spec_hash, listed.boot_id, listed.attempt) == (
            "0123456789abcdef",
            "boot-1",
            0,
        )

    @pytest.mark.parametrize(
        "change", [{"spec_hash": "f" * 16}, {"boot_id": "boot-2"}, {"attempt": 1}]
    )
    async def test_another_run_replaces_the_one_before(
        self, ready: Device, change: dict[str, Any]
    ) -> None:
        first = await ready.runtime.ensure_service_running(service())
        second = await ready.runtime.ensure_service_running(service(**change))
        assert first.container_id != second.container_id
        assert len(await ready.runtime.list_managed_services()) == 1

    async def test_an_init_container_runs_to_its_end_and_stays_to_be_seen(
        self, ready: Device
    ) -> None:
        outcome = await ready.runtime.run_to_completion(init(), 5.0)
        assert isinstance(outcome, Exited)
        assert outcome.exit_code == 0
        assert outcome.started_at_s <= outcome.finished_at_s
        (seen,) = await ready.runtime.list_init_containers()
        assert (seen.state, seen.exit_code, seen.role) == (RunState.EXITED, 0, Role.INIT)
        assert await ready.runtime.list_managed_services() == []

    async def test_a_finished_run_is_adopted_not_repeated(self, ready: Device) -> None:
        await ready.runtime.run_to_completion(init(), 5.0)
        first = await ready.runtime.container_status(init().key)
        await ready.runtime.run_to_completion(init(), 5.0)
        second = await ready.runtime.container_status(init().key)
        assert first is not None
        assert second is not None
        assert first.container_id == second.container_id

    async def test_a_failing_one_tells_its_exit_code_and_its_log(self, ready: Device) -> None:
        outcome = await ready.runtime.run_to_completion(init(image=FAILING), 5.0)
        assert isinstance(outcome, Exited)
        assert outcome.exit_code == 3
        assert [line.text for line in outcome.log][-1] == "giving up"
        lines = await ready.runtime.logs(init().key, tail=1)
        assert [line.text for line in lines] == ["giving up"]

    async def test_a_slow_one_is_removed_at_its_timeout(self, ready: Device) -> None:
        outcome = await ready.runtime.run_to_completion(init(image=SLOW), 1.0)
        assert isinstance(outcome, TimedOut)
        assert outcome.waited_s >= 1.0
        assert await ready.runtime.container_status(init().key) is None

    async def test_a_service_that_ends_is_seen_ended_and_not_restarted(self, ready: Device) -> None:
        await ready.runtime.ensure_service_running(service(image=CRASHING))
        await ready.wait(3.0)
        seen = await ready.runtime.container_status(service().key)
        assert seen is not None
        assert (seen.state, seen.exit_code) == (RunState.EXITED, 1)

    async def test_stop_and_remove_take_what_is_there_and_what_is_not(self, ready: Device) -> None:
        await ready.runtime.ensure_service_running(service())
        await ready.runtime.stop(service().key)
        seen = await ready.runtime.container_status(service().key)
        assert seen is not None
        assert seen.state is RunState.EXITED
        for _ in range(2):
            await ready.runtime.stop(service().key)
            await ready.runtime.remove(service().key)
        assert await ready.runtime.container_status(service().key) is None
        with pytest.raises(NotFoundError):
            await ready.runtime.logs(service().key, tail=10)

    async def test_lists_are_of_one_deployment_or_of_all(self, ready: Device) -> None:
        await ready.runtime.ensure_service_running(service())
        await ready.runtime.ensure_service_running(service(deployment="metrics"))
        assert len(await ready.runtime.list_managed_services()) == 2
        (one,) = await ready.runtime.list_managed_services("metrics")
        assert one.key.deployment == "metrics"

    async def test_changes_are_hinted_until_nobody_listens(self, ready: Device) -> None:
        hints: list[str] = []
        stop = ready.runtime.on_change(hints.append)
        await ready.runtime.ensure_service_running(service(image=CRASHING))
        await ready.wait(3.0)
        assert hints.count("shop") >= 2  # started, ended
        stop()
        stop()
        hints.clear()
        await ready.runtime.remove(service().key)
        await ready.wait(0.5)
        assert hints == []
