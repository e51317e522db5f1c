"""Results of an operation as lines, as they arrive, or as one JSON or YAML document at the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from fleet_core.cli.output import GAP, Output, narrate
from fleet_core.operations.plans import counted

if TYPE_CHECKING:
    from fleet_core.operations.plans import Plan, TargetResult

_RTT_WIDTH: Final = 9
_KIND_WIDTH: Final = 9


class ResultWriter:
    """Writes results in the format that was asked for; counts what failed."""

    def __init__(self, output: Output, style: str, plan: Plan) -> None:
        self.failed = 0
        self._output = output
        self._style = style
        self._width = max(map(len, plan.targets), default=0)
        self._kinds: Counter[str] = Counter()
        self._records: list[dict[str, Any]] = []

    @property
    def reader_is_gone(self) -> bool:
        """Whether nobody reads standard output any more."""
        return self._output.closed

    def take(self, result: TargetResult) -> None:
        """Write one result, or keep it for the document."""
        self.failed += not result.ok
        self._kinds[result.kind] += 1
        if self._style in ("json", "yaml"):
            self._records.append(result_record(result))
        else:
            self._output.line(result_line(result, self._width))

    def finish(self, took_s: float) -> None:
        """Write the document, if it is one, and tell the counts if there was more than one."""
        if self._style == "json":
            self._output.json(self._records)
        elif self._style == "yaml":
            self._output.yaml([self._records])
        total = self._kinds.total()
        if total != 1:
            kinds = sorted(self._kinds.items(), key=lambda item: (item[0] != "ok", item[0]))
            told = ", ".join(f"{count:,} {kind}" for kind, count in kinds) or "nothing to do"
            narrate(f"{counted(total, 'target')}: {told}, in {took_s:.2f} s")


def result_line(result: TargetResult, width: int) -> str:
    """Return a result as one line."""
    rtt = "" if result.rtt_ms is None else f"{result.rtt_ms:.1f} ms"
    cells = (
        result.target.ljust(width),
        result.kind.ljust(_KIND_WIDTH),
        rtt.rjust(_RTT_WIDTH),
        result.message,
    )
    return GAP.join(cells).rstrip()


def result_record(result: TargetResult) -> dict[str, Any]:
    """Return a result for JSON and YAML."""
    return {
        "target": result.target,
        "ok": result.ok,
        "kind": result.kind,
        "message": result.message,
        "rtt_ms": None if result.rtt_ms is None else round(result.rtt_ms, 3),
        **result.data,
    }
