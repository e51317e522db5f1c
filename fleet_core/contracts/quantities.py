"""Kubernetes' quantities: ``500m`` of a CPU, ``64Mi`` of memory."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

_QUANTITY: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(m|k|K|M|G|T|Ki|Mi|Gi|Ti)?\Z")
_FACTORS: Final = {
    None: 1.0,
    "m": 0.001,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}
MIN_MEMORY_BYTES: Final = 6 * 2**20
"""With less a container runtime cannot start a process (runc's own floor)."""
MIN_CPUS: Final = 0.01
MAX_CPUS: Final = 4_096


def quantity(value: str | float) -> float:
    """Return the number that a quantity stands for.

    Raises:
        ValueError: it is not a quantity.
    """
    found = _QUANTITY.match(str(value))
    if found is None:
        raise ValueError("expected a quantity, as 0.5, 500m, 64Mi or 1G")
    return float(found.group(1)) * _FACTORS[found.group(2)]


def _cpu(value: Any) -> Any:
    if not MIN_CPUS <= quantity(value) <= MAX_CPUS:
        raise ValueError("expected CPUs, as 0.5 or 500m; at least 10m")
    return value


def _memory(value: Any) -> Any:
    if quantity(value) < MIN_MEMORY_BYTES:
        raise ValueError("expected bytes of memory, as 64Mi; at least 6Mi")
    return value


CpuQuantity = Annotated[str | int | float, AfterValidator(_cpu), Field(examples=["500m", 2])]
MemoryQuantity = Annotated[str | int, AfterValidator(_memory), Field(examples=["64Mi"])]
