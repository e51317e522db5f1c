"""Choosing and bounding the lines of a log: which container, which run, how much of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import ContainerKey
from fleet_core.contracts.commands import LOGS_MAX_BYTES, LOGS_MAX_LINES, LogsReply
from fleet_core.contracts.text import REPLACEMENT
from fleet_core.errors import NotFoundError, RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.runtime.contract import ContainerRuntime, LogLine
    from fleet_agent.saved_logs import SavedLogs
    from fleet_core.contracts.scores import PodmanV0

LINE_MAX_CHARS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class LogSource:
    """Where a device's logs are: in the runtime, and what was saved of finished runs."""

    runtime: ContainerRuntime
    saved: SavedLogs

    async def read(
        self, key: ContainerKey, *, tail: int, since_s: float | None, previous: bool
    ) -> Sequence[LogLine]:
        """Return lines of the newest run, or of the one before; ``since_s`` is Unix seconds.

        Raises:
            RetryLaterError: the container has not been started yet.
            NotFoundError: there is no previous run.
            RuntimeUnavailableError: the runtime does not answer.
        """
        found = await self.runtime.container_status(key)
        saved = self.saved.runs(key)
        if found is not None and not previous:
            return await self.runtime.logs(key, tail=tail, since_s=since_s)
        if not previous:
            if not saved:
                raise RetryLaterError(f"container {key.container!r} has not been started yet")
            chosen = saved[-1]
        else:
            newest = found.attempt if found is not None else saved[-1].attempt if saved else 0
            earlier = [run for run in saved if run.attempt < newest]
            if not earlier:
                raise NotFoundError(f"no earlier run of container {key.container!r} is known")
            chosen = earlier[-1]
        lines = [line for line in chosen.lines if since_s is None or line.at_s >= since_s]
        return lines[-tail:] if tail else []


def chosen_container(deployment: str, container: str | None, score: PodmanV0) -> ContainerKey:
    """Return the container that is meant: the one named, or the first service.

    Raises:
        NotFoundError: the deployment has no container of that name.
    """
    names = [each.name for each in (*score.init_containers, *score.services)]
    name = container or score.services[0].name
    if name not in names:
        raise NotFoundError(
            f"deployment {deployment!r} has no container {name!r}",
            remedy=f"one of: {', '.join(names)}",
        )
    return ContainerKey(deployment, name)


def bounded_reply(lines: Sequence[LogLine], *, timestamps: bool, tail: int) -> LogsReply:
    """Return the last lines that fit into a reply; the rest is left out, and that is told."""
    texts: list[str] = []
    left = LOGS_MAX_BYTES
    for line in reversed(lines):
        text = line_text(line, timestamps=timestamps)
        # As it will be written: a control character takes six bytes.
        left -= len(json.dumps(text, ensure_ascii=False).encode(errors="replace")) + 1
        if left < 0 or len(texts) >= min(tail, LOGS_MAX_LINES):
            break
        texts.append(text)
    return LogsReply(lines=texts[::-1], truncated=left < 0)


def line_text(line: LogLine, *, timestamps: bool) -> str:
    """Return one line as it is sent: without NUL or lone surrogates, of bounded length."""
    text = line.text[:LINE_MAX_CHARS].encode(errors="replace").decode().replace("\0", REPLACEMENT)
    if not timestamps:
        return text
    moment = datetime.fromtimestamp(line.at_s, UTC).isoformat(timespec="milliseconds")
    return f"{moment.replace('+00:00', 'Z')} {text}"
