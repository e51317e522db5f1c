"""The ends of finished runs' logs, so that they stay readable after their containers are gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import (
    SAVED_LOG_MAX_BYTES,
    ContainerKey,
    LogLine,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Keep = Callable[[ContainerKey, "tuple[SavedLog, ...] | None"], None]
MAX_TOTAL_BYTES: Final = 4 * 1024 * 1024
"""For the whole device; the longest unread containers' logs go first."""
_RUNS_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class SavedLog:
    """The end of one finished run's log."""

    attempt: int
    lines: tuple[LogLine, ...]
    size_bytes: int


class SavedLogs:
    """For each container, the logs of its last two finished runs; bounded in total."""

    def __init__(
        self,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        *,
        keep: Keep | None = None,
        kept: Mapping[ContainerKey, tuple[SavedLog, ...]] | None = None,
    ) -> None:
        """Begin with what an earlier agent has ``kept``; ``keep`` hears of each change."""
        self._max_total_bytes = max_total_bytes
        self._total_bytes = 0
        self._runs: OrderedDict[ContainerKey, tuple[SavedLog, ...]] = OrderedDict()
        self._keep: Keep = lambda _key, _runs: None
        for key, runs in (kept or {}).items():
            self._hold(key, runs)
        if keep is not None:
            self._keep = keep

    def save(self, key: ContainerKey, attempt: int, lines: Sequence[LogLine]) -> None:
        """Keep the end of a finished run's log; saving a run twice keeps it once."""
        clipped = clip_lines(lines, SAVED_LOG_MAX_BYTES)
        saved = SavedLog(attempt, clipped, sum(map(line_bytes, clipped)))
        known = self._runs.get(key, ())
        if saved in known:
            return
        others = tuple(run for run in known if run.attempt != attempt)
        self._hold(key, (*others, saved)[-_RUNS_KEPT:])
        self._keep(key, self._runs[key])

    def _hold(self, key: ContainerKey, runs: tuple[SavedLog, ...]) -> None:
        self._total_bytes -= sum(run.size_bytes for run in self._runs.pop(key, ()))
        self._runs[key] = runs
        self._total_bytes += sum(run.size_bytes for run in runs)
        while self._total_bytes > self._max_total_bytes and len(self._runs) > 1:
            self.forget(next(iter(self._runs)))

    def runs(self, key: ContainerKey) -> tuple[SavedLog, ...]:
        """Return what is kept of the container's finished runs, the newest last."""
        return self._runs.get(key, ())

    def forget(self, key: ContainerKey) -> None:
        """Let go of a container's logs: its spec was replaced, or its deployment is gone."""
        runs = self._runs.pop(key, None)
        if runs is not None:
            self._total_bytes -= sum(run.size_bytes for run in runs)
            self._keep(key, None)

    def forget_deployment(self, deployment: str) -> None:
        """Let go of the logs of all of a deployment's containers."""
        for key in [key for key in self._runs if key.deployment == deployment]:
            self.forget(key)


def line_bytes(line: LogLine) -> int:
    """Return how many bytes the line takes, with its line break."""
    return len(line.text.encode(errors="replace")) + 1


def clip_lines(lines: Sequence[LogLine], limit_bytes: int) -> tuple[LogLine, ...]:
    """Return the last lines that fit into the limit."""
    left = limit_bytes
    for count, line in enumerate(reversed(lines)):
        left -= line_bytes(line)
        if left < 0:
            return tuple(lines[len(lines) - count :])
    return tuple(lines)
