"""Publishing what the device sees of its deployments: the latest state of each, until stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import DEVICE_STATE, state_key
from fleet_core.contracts.states import ContainerState, ContainerStatus, DeploymentState

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.reconcile.status import Status
    from fleet_agent.storage.state_folder import StateFolder
    from fleet_core.clock import Clock
    from fleet_core.messaging import LatestWriter

STATE_MAX_BYTES: Final = DEVICE_STATE.max_value_bytes - 2 * 1024
"""What a state may take: the bucket's limit less room for subject and headers."""
MAX_DELETED: Final = 64
"""So many deletions are said again: whether one was heard, a device cannot read."""
_TICK: Final = timedelta(milliseconds=1)


class StatePublisher:
    """Offers each deployment's newest state to the writer; says nothing twice."""

    def __init__(
        self,
        device_id: str,
        writer: LatestWriter,
        clock: Clock,
        folder: StateFolder | None = None,
    ) -> None:
        """With a ``folder`` what is told survives the agent: the outbox, and the order of it."""
        self._device_id = device_id
        self._writer = writer
        self._clock = clock
        self._folder = folder
        told = folder.told.states if folder is not None else {}
        self._told: dict[str, tuple[datetime, bytes]] = {
            name: (state.last_event_at, encode(state)) for name, state in told.items()
        }
        self._deleted = list(folder.told.deleted) if folder is not None else []

    def publish(self, deployment: str, generation: int, spec_hash: str, status: Status) -> None:
        """Offer the state if it differs from what was offered last."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        told = self._told.get(deployment)
        state = DeploymentState(
            device_id=self._device_id,
            deployment=deployment,
            phase=status.phase,
            last_event_at=now if told is None else told[0],
            last_error=status.last_error,
            generation=generation,
            spec_hash=spec_hash,
            reason=status.reason,
            init_container_statuses=list(status.inits),
            container_statuses=list(status.services),
            failure=status.failure,
        )
        payload = encode_within(state, STATE_MAX_BYTES)
        if told is not None:
            if payload == told[1]:
                return
            # Readers drop a state that is not newer: a clock that was set back must not mute us.
            now = max(now, told[0] + _TICK)
            state = state.model_copy(update={"last_event_at": now})
            payload = encode_within(state, STATE_MAX_BYTES)
        self._told[deployment] = (now, payload)
        if deployment in self._deleted:
            self._deleted.remove(deployment)
        if self._folder is not None:
            self._folder.keep_told(deployment, decode(DeploymentState, payload), self._deleted)
        self._offer(deployment, payload)

    def forget(self, deployment: str) -> None:
        """Delete the state of a deployment that is gone from the device."""
        self._told.pop(deployment, None)
        self._deleted = [*self._deleted, deployment][-MAX_DELETED:]
        if self._folder is not None:
            self._folder.keep_told(deployment, None, self._deleted)
        self._offer(deployment, None)

    def publish_again(self) -> None:
        """Offer all states once more: the store may have been lost with the link."""
        for deployment, (_, payload) in self._told.items():
            self._offer(deployment, payload)
        for deployment in self._deleted:
            self._offer(deployment, None)

    def tell_left_over(self) -> None:
        """Offer what an earlier agent may not have got rid of; no-one else would delete a state."""
        if self._folder is not None:
            self.publish_again()

    def _offer(self, deployment: str, payload: bytes | None) -> None:
        self._writer.offer(DEVICE_STATE.name, state_key(self._device_id, deployment), payload)


def encode_within(state: DeploymentState, limit_bytes: int) -> bytes:
    """Return the state's payload; where it is too large, details are left out step by step."""
    payload = encode(state)
    for shorten in (_without_messages, _without_last_states, _without_statuses):
        if len(payload) <= limit_bytes:
            break
        payload = encode(shorten(state))
    return payload


def _without_messages(state: DeploymentState) -> DeploymentState:
    def silent(told: ContainerStatus) -> ContainerStatus:
        updates = {"state": _silent(told.state), "last_state": _silent(told.last_state)}
        return told.model_copy(update=updates)

    return _with_statuses(state, silent)


def _silent(state: ContainerState) -> ContainerState:
    arms = {
        name: arm.model_copy(update={"message": ""})
        for name, arm in (("waiting", state.waiting), ("terminated", state.terminated))
        if arm is not None
    }
    return state.model_copy(update=arms)


def _without_last_states(state: DeploymentState) -> DeploymentState:
    def now_only(told: ContainerStatus) -> ContainerStatus:
        updates = {"state": _silent(told.state), "last_state": ContainerState(), "image": ""}
        return told.model_copy(update=updates)

    return _with_statuses(state, now_only)


def _without_statuses(state: DeploymentState) -> DeploymentState:
    return state.model_copy(update={"init_container_statuses": [], "container_statuses": []})


def _with_statuses(
    state: DeploymentState, change: Callable[[ContainerStatus], ContainerStatus]
) -> DeploymentState:
    updates = {
        "init_container_statuses": list(map(change, state.init_container_statuses)),
        "container_statuses": list(map(change, state.container_statuses)),
    }
    return state.model_copy(update=updates)
