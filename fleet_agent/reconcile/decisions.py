"""What to do next for one deployment: a pure function of what is wanted, seen and known.

The contract is the kubelet's: a deployment's spec hash stands for a Pod, the device's boot for its
sandbox. Init containers run one at a time, in order, and services start after all succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_agent.reconcile.proofs import next_init
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.containers import PullPolicy
from fleet_core.contracts.scores import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.runs import Ended
    from fleet_agent.reconcile.seen import Desired, Seen
    from fleet_agent.runtime.contract import ContainerKey, Snapshot
    from fleet_core.contracts.containers import Container, Service


@dataclass(frozen=True, slots=True)
class Remove:
    """Stop and remove these containers."""

    keys: tuple[ContainerKey, ...]


@dataclass(frozen=True, slots=True)
class PullImage:
    """Have this image here, as its policy says."""

    image: str
    policy: PullPolicy


@dataclass(frozen=True, slots=True)
class RunInit:
    """Run (or go on running) the init container at this index to its end."""

    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StartService:
    """Start the service at this index."""

    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StopUnhealthy:
    """Stop a service that its liveness or startup probe has found dead."""

    index: int
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before something changes, or before this monotonic moment."""

    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing of the deployment is left on the device."""


Action = Remove | PullImage | RunInit | StartService | StopUnhealthy | Wait | Finished


def decide(
    desired: Desired | None, seen: Seen, progress: Progress, boot_id: str, now_s: float
) -> Action:
    """Return the next thing to do; ``now_s`` is monotonic. With None nothing shall be left."""
    if desired is None:
        return _remove_all(seen) or Finished()
    if progress.starting_over and (removal := _remove_all(seen)):
        return removal
    own, foreign = seen.split(desired, boot_id)
    return (
        _prepare(desired, foreign, progress, boot_id, now_s)
        or _initialise(desired, own, progress, now_s)
        or _remove_obsolete(desired, foreign)
        or _serve(desired, own, progress, now_s)
    )


def _remove_all(seen: Seen) -> Remove | None:
    return _remove(tuple(seen))


def _remove(found: Sequence[Snapshot]) -> Remove | None:
    keys = tuple(each.key for each in found)
    return Remove(keys) if keys else None


def _prepare(
    desired: Desired, foreign: Seen, progress: Progress, boot_id: str, now_s: float
) -> Action | None:
    """Clear away what other specs and boots have left, but not what still serves.

    While an older version serves, every image of the new one is got first: a name that cannot be
    pulled must not touch what works. Its services go on until the new one's init containers have
    succeeded.
    """
    serving = {found.key for found in foreign.services if _serves(found, boot_id)}
    if serving:
        containers: tuple[Container, ...] = (
            *desired.score.init_containers,
            *desired.score.services,
        )
        for container in containers:
            if (waiting := _get_image(container, progress, now_s)) is not None:
                return waiting
    return _remove([found for found in foreign if found.key not in serving])


def _serves(found: Snapshot, boot_id: str) -> bool:
    return found.boot_id == boot_id and found.state in {RunState.RUNNING, RunState.CREATED}


def _remove_obsolete(desired: Desired, foreign: Seen) -> Remove | None:
    """Remove an older version's services that the new one has not; the others are replaced."""
    names = {service.name for service in desired.score.services}
    return _remove([found for found in foreign if found.key.container not in names])


def _get_image(container: Container, progress: Progress, now_s: float) -> PullImage | Wait | None:
    pull = progress.pull_of(container.image)
    if pull.ready:
        return None
    if pull.back_off.remaining_s(now_s):
        return Wait(pull.back_off.not_before_s)
    policy = container.image_pull_policy
    if policy is PullPolicy.ALWAYS and container.image in progress.pulled:
        # It was pulled for this very version; after a reboot there may be no network.
        policy = PullPolicy.IF_NOT_PRESENT
    return PullImage(container.image, policy)


def _initialise(desired: Desired, own: Seen, progress: Progress, now_s: float) -> Action | None:
    if progress.initialised:
        return None
    index = next_init(progress, desired, own)
    container = desired.score.init_containers[index]
    known = progress.of(container.name)
    found = own.find(Role.INIT, container.name)
    if found is not None and found.state is not RunState.EXITED:
        return RunInit(index, found.attempt)
    if known.last is not None and desired.score.restart_policy is RestartPolicy.NEVER:
        return Wait()
    if known.back_off.remaining_s(now_s):
        return Wait(known.back_off.not_before_s)
    return _get_image(container, progress, now_s) or RunInit(index, known.attempt + 1)


def _serve(desired: Desired, own: Seen, progress: Progress, now_s: float) -> Action:
    waits: list[float] = []
    for index in range(len(desired.score.services)):
        action = _serve_one(desired, index, own, progress, now_s)
        if isinstance(action, Wait) and action.until_s is not None:
            waits.append(action.until_s)
        elif action is not None and not isinstance(action, Wait):
            return action
    return Wait(min(waits, default=None))


def _serve_one(
    desired: Desired, index: int, own: Seen, progress: Progress, now_s: float
) -> Action | None:
    service = desired.score.services[index]
    found = own.find(Role.SERVICE, service.name)
    if found is not None and found.state is not RunState.EXITED:
        health = own.health.get(service.name)
        if health is not None and health.unhealthy:
            return StopUnhealthy(index, found.attempt, health.unhealthy)
        return None
    known = progress.of(service.name)
    if known.last is not None:
        if not restarts(service, desired.score.restart_policy, known.last):
            return None
        if known.back_off.remaining_s(now_s):
            return Wait(known.back_off.not_before_s)
    return _get_image(service, progress, now_s) or StartService(index, known.attempt + 1)


def restarts(service: Service, policy: RestartPolicy, last: Ended) -> bool:
    """Tell whether a service that ended so is started again.

    The score's policy and the service's own are both asked, and the stricter one counts.
    """
    if policy is RestartPolicy.NEVER or service.restart_policy == "no":
        return False
    if policy is RestartPolicy.ON_FAILURE or service.restart_policy == "on-failure":
        return not last.succeeded
    return True
