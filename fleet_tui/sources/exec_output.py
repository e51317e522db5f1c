"""What programs said on devices, as lines with styles. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable_lines
from fleet_core.operations.exec_results import ExecOutput
from fleet_tui.jobs import JobState
from fleet_tui.sources.device_source import rtt_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleet_core.operations.plans import TargetResult
    from fleet_tui.jobs import Job
    from fleet_tui.table.source import Cell

SHOWN_LINES: Final = 20_000
"""Over all devices, of each of the two streams."""
_FEWEST_LINES: Final = 20
_LINE_MAX_CHARS: Final = 16_384


def end_cell(job: Job, target: str) -> Cell:
    """Return how a program ended: its exit code, why there is none, or that it runs still."""
    result = job.results.get(target)
    if result is None:
        over = job.state is not JobState.RUNNING
        return (f"{job.state.value}: no answer", "warning") if over else ("running …", "accent")
    output = ExecOutput.of(result.data)
    if output is None:
        return (result.kind, "failed")
    if output.exit_code is None:
        return ("ended by its deadline", "failed")
    return (f"exit code {output.exit_code}", "ok" if result.ok else "failed")


def output_lines(job: Job, targets: Sequence[str]) -> list[Cell]:
    """Return what the programs of a job said on these devices, each under its name."""
    limit = max(_FEWEST_LINES, SHOWN_LINES // max(len(targets), 1))
    lines: list[Cell] = []
    for target in targets:
        if len(targets) > 1:
            words, style = end_cell(job, target)
            lines.append((f"{target}  {words}", "title" if style == "ok" else style))
        result = job.results.get(target)
        if result is not None:
            lines += _said(result, limit)
    return lines


def time_text(job: Job, targets: Sequence[str]) -> str:
    """Return how long the answer of a single device took."""
    result = job.results.get(targets[0]) if len(targets) == 1 else None
    return "" if result is None or result.rtt_ms is None else rtt_text(result.rtt_ms)


def _said(result: TargetResult, limit: int) -> Iterator[Cell]:
    output = ExecOutput.of(result.data)
    if output is None:
        yield result.message, "failed"
        return
    yield from _stream(output.stdout, "text", limit)
    yield from _stream(output.stderr, "warning", limit)
    if output.truncated:
        yield "… there was more output than is sent: the end of it is missing", "accent"
    elif not output.stdout and not output.stderr:
        yield "no output", "dim"


def _stream(text: str, style: str, limit: int) -> Iterator[Cell]:
    hidden = text.removesuffix("\n").count("\n") + 1 - limit
    if hidden > 0:
        yield f"… {hidden:,} earlier lines are not shown", "dim"
    for line in printable_lines(text, limit_lines=limit, limit_columns=_LINE_MAX_CHARS):
        yield line, style
