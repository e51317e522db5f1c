"""What is wanted of a deployment, and what the runtime shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_agent.runtime.contract import Role, RunState, Snapshot
from fleet_core.contracts.scores import PodmanV0  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet_agent.health.probing import ServiceHealth


@dataclass(frozen=True, slots=True)
class Desired:
    """What the manifest asks for, and the score at the hash that it names."""

    generation: int
    spec_hash: str
    score: PodmanV0


@dataclass(frozen=True, slots=True)
class Seen:
    """A deployment's containers as the runtime tells of them."""

    services: tuple[Snapshot, ...] = ()
    inits: tuple[Snapshot, ...] = ()
    health: Mapping[str, ServiceHealth] = field(default_factory=dict)
    """Of running services of the wanted spec, by name."""
    older: frozenset[str] = frozenset()
    """Names of services that another version runs meanwhile; told by `split`."""

    def __iter__(self) -> Iterator[Snapshot]:
        yield from self.services
        yield from self.inits

    def split(self, desired: Desired, boot_id: str) -> tuple[Seen, Seen]:
        """Return the containers that belong to the desired spec in this boot, and the others.

        One of its own that was made and never started is left out of both: it will be started.
        """
        names = {
            Role.INIT: {container.name for container in desired.score.init_containers},
            Role.SERVICE: {container.name for container in desired.score.services},
        }

        def belongs(found: Snapshot) -> bool:
            return (
                found.spec_hash == desired.spec_hash
                and found.boot_id == boot_id
                and found.key.container in names[found.role]
            )

        def part(found: tuple[Snapshot, ...], *, own: bool) -> tuple[Snapshot, ...]:
            return tuple(
                each
                for each in found
                if belongs(each) is own and not (own and each.state is RunState.UNSTARTED)
            )

        foreign = Seen(part(self.services, own=False), part(self.inits, own=False))
        older = frozenset(
            found.key.container for found in foreign.services if found.state is RunState.RUNNING
        )
        own = Seen(part(self.services, own=True), part(self.inits, own=True), self.health, older)
        return own, foreign

    def find(self, role: Role, name: str) -> Snapshot | None:
        """Return the container of that name in that role."""
        among = self.inits if role is Role.INIT else self.services
        return next((found for found in among if found.key.container == name), None)
