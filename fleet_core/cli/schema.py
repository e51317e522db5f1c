"""``fleet schema``: the JSON Schema of a payload, or the names of all payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes
from fleet_core.cli.output import Output
from fleet_core.contracts.schemas import PAYLOADS, json_schema

if TYPE_CHECKING:
    import argparse


def schema(options: argparse.Namespace) -> int:
    """Print it; a schema always as JSON, or as YAML where that is asked for."""
    output = Output()
    if options.name is None and options.output in ("table", "wide"):
        output.lines(PAYLOADS)
        return exit_codes.OK
    printed = list(PAYLOADS) if options.name is None else json_schema(options.name)
    if options.output == "yaml":
        output.yaml([printed])
    else:
        output.json(printed)
    return exit_codes.OK
