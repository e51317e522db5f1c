"""The parameters that several operations share, as the command line and the palette offer them."""

from __future__ import annotations

from typing import Final

from fleet_core.contracts.resources import DEFAULT_NAMESPACE
from fleet_core.operations.operation import Parameter, ParameterKind
from fleet_core.operations.plans import DEFAULT_TIMEOUT_S

DEVICES: Final = Parameter("devices", "device ids", metavar="DEVICE", many=True)
FILTER: Final = Parameter(
    "filter",
    "in place of ids: every device that the filter matches, as 'site=berlin and age>10m'",
    flags=("-l", "--filter"),
    metavar="FILTER",
)
DEPLOYMENT: Final = Parameter(
    "deployment", "the deployment's name", metavar="DEPLOYMENT", required=True
)
NAMESPACE: Final = Parameter(
    "namespace",
    f"the deployment's namespace (default: {DEFAULT_NAMESPACE})",
    flags=("-n", "--namespace"),
    metavar="NAMESPACE",
    default=DEFAULT_NAMESPACE,
)
TIMEOUT: Final = Parameter(
    "timeout_s",
    f"seconds to wait for an answer (default: {DEFAULT_TIMEOUT_S:g})",
    flags=("--timeout",),
    metavar="SECONDS",
    kind=ParameterKind.SECONDS,
    default=DEFAULT_TIMEOUT_S,
)
