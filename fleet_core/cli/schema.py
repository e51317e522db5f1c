"""``fleet schema``: the JSON Schema of a payload, or the names of all payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes
from fleet_core.cli.output import Output
from fleet_core.contracts.schemas import PAYLOADS, json_schema

if TYPE_CHECKING:
    import argparse


def schema(options: argparse.Namespace) -> int:
    """Print it; always as JSON, or as YAML where that is asked for."""
    output = Output()
    if options.name is None:
        output.lines(PAYLOADS)
    elif options.output == "yaml":
        output.yaml([json_schema(options.name)])
    else:
        output.json(json_schema(options.name))
    return exit_codes.OK
