"""Which devices a simulated fleet has: drawn from a profile and a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fleet_agent.simulation.drawing import generator, weighted
from fleet_core.contracts.devices import Inventory
from fleet_core.contracts.names import is_dns_label
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from fleet_agent.simulation.profile import FaultsPart, HardwarePart, Profile

_MIN_DIGITS: Final = 3
_ID_RULE: Final = "lower-case letters, digits and '-', at most 63 in all"


class Fault(StrEnum):
    """What is wrong with a device all the time."""

    NONE = "none"
    OFFLINE = "offline"
    ABSENT = "absent"
    STALE = "stale"
    FLAPPING = "flapping"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device of the fleet."""

    device_id: str
    labels: Mapping[str, str]
    agent_version: str
    inventory: Inventory
    fault: Fault


def draw_devices(
    profile: Profile, count: int, seed: int, prefix: str = ""
) -> Iterator[SimulatedDevice]:
    """Yield the fleet's devices; a larger fleet of the same seed begins with the smaller one.

    Raises:
        InvalidInputError: the prefix makes ids that are no device ids.
    """
    rng = generator(seed, "devices")
    numbers: Counter[str] = Counter()
    sites = {name: site.weight for name, site in profile.sites.items()}
    for _ in range(count):
        site = weighted(sites, rng)
        part = profile.sites[site]
        kind = weighted(part.kinds, rng)
        hardware = weighted(part.hardware or dict.fromkeys(profile.hardware, 1.0), rng)
        group = f"{prefix}{site}-{kind}"
        numbers[group] += 1
        device_id = f"{group}-{numbers[group]:0{_MIN_DIGITS}}"
        if not is_dns_label(device_id):
            raise InvalidInputError(
                f"--prefix: {device_id!r} is no device id: expected {_ID_RULE}",
                path="--prefix",
                expected=_ID_RULE,
            )
        labels = {"site": site, "kind": kind, "hw": hardware, "ring": weighted(profile.rings, rng)}
        yield SimulatedDevice(
            device_id,
            {**labels, **part.labels},
            weighted(profile.versions, rng),
            _inventory(device_id, profile.hardware[hardware]),
            _fault(profile.faults, rng),
        )


def _inventory(device_id: str, hardware: HardwarePart) -> Inventory:
    return Inventory(
        hostname=device_id,
        os=hardware.os or None,
        kernel=hardware.kernel or None,
        arch=hardware.arch or None,
        model=hardware.model or None,
        cpus=hardware.cpus,
        memory_bytes=hardware.memory_bytes,
        disk_bytes=hardware.disk_bytes,
        runtime="simulated 1",
    )


def _fault(faults: FaultsPart, rng: Random) -> Fault:
    shares = {
        Fault.OFFLINE: faults.offline,
        Fault.ABSENT: faults.absent,
        Fault.STALE: faults.stale,
        Fault.FLAPPING: faults.flapping,
        Fault.SLOW: faults.slow,
    }
    drawn = rng.random()
    for fault, share in shares.items():
        if drawn < share:
            return fault
        drawn -= share
    return Fault.NONE
