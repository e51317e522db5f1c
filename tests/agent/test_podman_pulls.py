"""Images pulled from a real registry by a real podman: policies, accounts, failures, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import (
    ImageNeverPulledError,
    ImageNotFoundError,
    ImagePullError,
)
from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.podman.images import Registry as Account
from fleet_core.contracts.containers import PullPolicy
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.support.podman import PodmanMachine

    Device = Callable[..., PodmanRuntime]

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
async def device(podman: PodmanMachine, registry: Registry) -> AsyncIterator[Device]:
    """Makes a device that knows the registry by this account."""
    made: list[PodmanRuntime] = []

    def make(**account: object) -> PodmanRuntime:
        known = Account(insecure=True, **account)  # type: ignore[arg-type]  # by name
        settings = PodmanSettings(socket=podman.socket, registries={registry.host: known})
        made.append(PodmanRuntime(settings))
        return made[-1]

    yield make
    for runtime in made:
        await runtime.close()
    podman.run("rmi", "--all", "--force", check=False)
    podman.make_image()


async def test_it_is_pulled_once_unless_the_policy_says_always(
    device: Device, registry: Registry
) -> None:
    runtime, image = device(), registry.add("web", "1")
    await runtime.pull_image(image)
    pulled = registry.manifest_gets
    assert pulled
    await runtime.pull_image(image)
    assert registry.manifest_gets == pulled
    await runtime.pull_image(image, PullPolicy.ALWAYS)
    assert registry.manifest_gets > pulled


async def test_what_is_never_pulled_is_not_asked_for(device: Device, registry: Registry) -> None:
    image = registry.add("web", "1")
    with pytest.raises(ImageNeverPulledError):
        await device().pull_image(image, PullPolicy.NEVER)
    assert registry.manifest_gets == 0


async def test_an_image_that_nobody_has_is_told_apart_from_a_registry_in_trouble(
    device: Device, registry: Registry
) -> None:
    runtime = device()
    with pytest.raises(ImageNotFoundError, match="manifest unknown"):
        await runtime.pull_image(f"{registry.host}/web:none")
    image = registry.add("web", "1")
    registry.failures = 100
    with pytest.raises(ImagePullError, match="503"):
        await runtime.pull_image(image)
    registry.failures = 0
    await runtime.pull_image(image)


async def test_without_the_right_account_nothing_is_pulled(
    device: Device, registry: Registry, tmp_path: Path
) -> None:
    image = registry.add("web", "1")
    registry.account = "device:hush-hush"
    with pytest.raises(ImageNotFoundError, match=r"(?i)unauthorized|authentication"):
        await device().pull_image(image)
    with pytest.raises(ImageNotFoundError) as caught:
        await device(username="device", password="guess").pull_image(image)
    assert "guess" not in str(caught.value)
    secret = tmp_path / "password"
    secret.write_text("hush-hush\n")
    await device(username="device", password_file=secret).pull_image(image)
    other, lost = registry.add("other", "1"), tmp_path / "none"
    with pytest.raises(ImagePullError, match="password cannot be read"):
        await device(username="device", password_file=lost).pull_image(other)


async def test_an_image_for_another_processor_is_refused(
    device: Device, registry: Registry
) -> None:
    image = registry.add("web", "1", architecture="s390x")
    with pytest.raises(ImagePullError, match="s390x"):
        await device().pull_image(image)


async def test_how_far_a_slow_pull_is_is_told(device: Device, registry: Registry) -> None:
    image = registry.add("web", "1")
    registry.bytes_per_s = 700_000
    told: list[str] = []
    await device().pull_image(image, on_progress=told.append)
    assert told
    assert all(words.startswith("pulling") for words in told)
