"""The terms of a filter: what one condition means for one device."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from fleet_core.view.health import Health

if TYPE_CHECKING:
    from fleet_core.view.devices import DeviceColumns

Predicate: TypeAlias = Callable[[int, float], bool]
"""(slot, the server's present in Unix seconds) → does it match."""

OPERATORS: Final = ("!=", "!~", "<=", ">=", "=", "~", "<", ">")
FIELDS: Final = {
    "id": "the device's id",
    "status": "online, stale, offline or unknown",
    "age": "since its last heartbeat, as 45s, 10m, 2h, 3d",
    "version": "the agent's version",
    "reason": "the worst reason, as Init:CrashLoopBackOff",
    "cause": "the cause of a failure, as Error or InitTimeout, with its exit code",
    "restarts": "restarts of all containers",
    "rtt": "of the last ping, in ms",
    "deploy": "deploy:NAME=ok, pending, failed or none",
}
DEPLOY_WORDS: Final = ("ok", "pending", "failed", "none")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)\Z")
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word: it stands somewhere in the id, labels, version or reason."""

    text: str

    def predicate(self, devices: DeviceColumns) -> Predicate:
        """Return what tells whether a device matches."""
        wanted, texts = self.text.lower(), devices.texts
        return lambda slot, _now_s: wanted in texts[slot]


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator and a value; a field that is none of `FIELDS` is a label."""

    field: str
    operator: str
    value: str

    def predicate(self, devices: DeviceColumns) -> Predicate:
        """Return what tells whether a device matches."""
        if self.field == "age":
            return self._age(devices)
        if self.field in ("restarts", "rtt"):
            return self._number(devices)
        return self._text(devices)

    def problem(self) -> str:
        """Return what would have been right in place of the value; empty where it is right."""
        if self.field == "age":
            return "" if _DURATION.match(self.value) else "a duration, as 45s, 10m, 2h or 3d"
        if self.field in ("restarts", "rtt"):
            return "" if _DURATION.match(self.value) and self._is_number() else "a number"
        words = _WORDS.get(self.field.partition(":")[0])
        if words and self.operator in ("=", "!=") and self.value not in words:
            return f"one of {', '.join(words)}"
        return ""

    def _is_number(self) -> bool:
        return self.value.replace(".", "", 1).isdigit()

    def _age(self, devices: DeviceColumns) -> Predicate:
        number, unit = _matched(self.value)
        limit_s, compare = number * _UNITS_S[unit or "s"], _ORDER[self.operator]
        seen_s = devices.seen_s
        # A device that was never heard of is older than anything.
        return lambda slot, now_s: compare(
            now_s - seen_s[slot] if seen_s[slot] else float("inf"), limit_s
        )

    def _number(self, devices: DeviceColumns) -> Predicate:
        limit, compare = float(self.value), _ORDER[self.operator]
        column = devices.restarts if self.field == "restarts" else devices.rtt_ms
        # NaN (never pinged) compares false with everything but !=.
        return lambda slot, _now_s: compare(column[slot], limit)

    def _text(self, devices: DeviceColumns) -> Predicate:
        read = _reader(self.field, devices)
        wanted = self.value.lower()
        match self.operator:
            case "=":
                return lambda slot, _now_s: read(slot).lower() == wanted
            case "!=":
                return lambda slot, _now_s: read(slot).lower() != wanted
            case "~":
                return lambda slot, _now_s: wanted in read(slot).lower()
            case _:
                return lambda slot, _now_s: wanted not in read(slot).lower()


_WORDS: Final = {
    "status": tuple(health.word for health in Health),
    "deploy": DEPLOY_WORDS,
}


def _matched(duration: str) -> tuple[float, str]:
    found = _DURATION.match(duration)
    if found is None:
        raise ValueError(f"no duration: {duration!r}")
    return float(found[1]), found[2]


def _reader(field: str, devices: DeviceColumns) -> Callable[[int], str]:
    """Return what reads a field of a device as text."""
    kind, _, name = field.partition(":")
    if kind == "deploy":
        return lambda slot: deployment_word(devices, slot, name)
    words = [health.word for health in Health]
    readers: dict[str, Callable[[int], str]] = {
        "id": devices.ids.__getitem__,
        "status": lambda slot: words[devices.health[slot]],
        "version": devices.versions.__getitem__,
        "reason": devices.reasons.__getitem__,
        "cause": lambda slot: _causes(devices, slot),
    }
    return readers.get(field) or (lambda slot: devices.labels[slot].get(field, ""))


def _causes(devices: DeviceColumns, slot: int) -> str:
    found = []
    for state in devices.states[slot].values():
        failure = state.detail.failure if state.detail is not None else None
        if failure is not None:
            code = "" if failure.exit_code is None else f" exit {failure.exit_code}"
            found.append(f"{failure.container} {failure.cause}{code}")
    return "; ".join(found)


def deployment_word(devices: DeviceColumns, slot: int, name: str) -> str:
    """Return how a deployment stands on a device: one of `DEPLOY_WORDS`."""
    desired = devices.desired[slot]
    state = devices.states[slot].get(name)
    if desired is not None and name not in desired:
        return "none"
    if state is None:
        return "none" if desired is None else "pending"
    if desired is not None and state.spec_hash != desired[name].spec_hash:
        return "pending"
    if state.failing:
        return "failed"
    return "ok" if state.phase == "Running" else "pending"
