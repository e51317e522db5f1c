"""Numbers of devices, absolute or a share of them: ``5`` or ``"25%"``, as in Kubernetes."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

MAX_DEVICES: Final = 1_000_000
"""No number of devices is larger."""
_PERCENT: Final = r"^(100|[1-9]?[0-9])%$"

Percent = Annotated[str, StringConstraints(pattern=_PERCENT), Field(examples=["90%"])]
"""Whole percent, from ``0%`` to ``100%``."""


def _share(value: int | str) -> int | str:
    if isinstance(value, int):
        if not 0 <= value <= MAX_DEVICES:
            raise ValueError(f"expected a number of devices from 0 to {MAX_DEVICES:,}")
    elif not re.fullmatch(_PERCENT, value):
        raise ValueError("expected whole percent, as '25%'")
    return value


Share = Annotated[
    int | str,
    AfterValidator(_share),
    Field(examples=[5, "25%"], json_schema_extra={"pattern": _PERCENT}),
]
"""A number of devices, or whole percent of them (Kubernetes' ``IntOrString``)."""


def percent_of(share: str) -> int:
    """Return the number before the percent sign."""
    return int(share.removesuffix("%"))


def at_most(share: Share, total: int) -> int:
    """Return how many of ``total`` devices a limit allows: percentages are rounded down."""
    return share if isinstance(share, int) else total * percent_of(share) // 100


def at_least(share: Share, total: int) -> int:
    """Return how many of ``total`` devices a demand asks for: percentages are rounded up."""
    return share if isinstance(share, int) else -(-total * percent_of(share) // 100)
