"""Telling how a deployment stands, under the wish that it stands for; nothing is told twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_agent.reconcile.status import Status, refused, rolled_back, unavailable

if TYPE_CHECKING:
    from fleet_agent.reconcile.memory import Memory
    from fleet_agent.states import StatePublisher


@dataclass(frozen=True, slots=True)
class Refusal:
    """A desired spec that cannot be obeyed; what ran before goes on."""

    generation: int
    spec_hash: str
    message: str


class Teller:
    """Publishes a deployment's status whenever what it is made from has changed."""

    def __init__(self, name: str, states: StatePublisher) -> None:
        self._name = name
        self._states = states
        self._told_from: object = None
        """What the last published status was made from."""

    def tell(
        self, memory: Memory, refusal: Refusal | None, told: Status | None, evidence: object
    ) -> None:
        """Tell the status of what runs, as the wish, the refusal or the fallback colours it."""
        whole = (memory.desired, memory.fallback, refusal, evidence)
        if whole == self._told_from:
            return
        self._told_from = whole
        desired = memory.desired
        if refusal is not None:
            told = refused(refusal.message, told)
            self._states.publish(self._name, refusal.generation, refusal.spec_hash, told)
        elif told is not None and desired is not None:
            if memory.fallback is not None:
                told = rolled_back(memory.fallback, told)
            self._states.publish(self._name, desired.generation, desired.spec_hash, told)

    def tell_unavailable(self, memory: Memory, message: str) -> None:
        """Tell that the container runtime does not answer, once for each reason."""
        desired = memory.desired
        if desired is None or self._told_from == message:
            return
        self._told_from = message
        told = unavailable(message)
        self._states.publish(self._name, desired.generation, desired.spec_hash, told)
