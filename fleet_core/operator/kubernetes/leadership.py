"""Which of several operators writes: the holder of a Lease, as client-go elects leaders.

A Lease names its holder and is renewed while the holder lives. Others take it when it was not
renewed for its duration, by their own clock since they saw it last: clocks of several machines are
never compared. The holder stops writing before anybody else can begin.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fleet_core.clock import SystemClock
from fleet_core.cluster import paths
from fleet_core.errors import ConflictError, FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.clock import Clock
    from fleet_core.cluster.client import ClusterClient, Object

_log = logging.getLogger(__name__)

LEASE_NAME: Final = "fleet-operator"
DURATION_S: Final = 10
"""A Lease that was not renewed for as long may be taken: takeover within 15 s."""
RENEW_EVERY_S: Final = 2.0
GIVE_UP_AFTER_S: Final = 7.0
"""A holder that could not renew for as long stops writing; client-go's renew deadline."""
_REQUEST_DEADLINE_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The Lease as it was seen last."""

    holder: str = ""
    renewed: str = ""
    """``spec.renewTime``, as it stands: compared, never read as a time."""
    at_s: float = 0.0
    """When it was first seen like this, by our monotonic clock."""
    duration_s: float = DURATION_S


def observed(seen: Seen | None, spec: dict[str, Any], now_s: float) -> Seen:
    """Return what is known of a Lease once it was looked at again."""
    holder = str(spec.get("holderIdentity") or "")
    renewed = str(spec.get("renewTime") or "")
    if seen is not None and (seen.holder, seen.renewed) == (holder, renewed):
        return seen
    return Seen(holder, renewed, now_s, float(spec.get("leaseDurationSeconds") or DURATION_S))


def may_take(seen: Seen, me: str, now_s: float) -> bool:
    """Tell whether a Lease may be taken: nobody's, our own, or not renewed for its duration."""
    return seen.holder in ("", me) or now_s >= seen.at_s + seen.duration_s


class Leadership:
    """One operator's part in it; `leads` says whether it may write now."""

    def __init__(
        self, client: ClusterClient, namespace: str, me: str, clock: Clock | None = None
    ) -> None:
        self.on_change: Callable[[bool], None] = lambda _leads: None
        """Called with what `leads` has become."""
        self._client = client
        self._namespace = namespace
        self._me = me
        self._clock = clock or SystemClock()
        self._seen: Seen | None = None
        self._renewed_s: float | None = None
        self._told = False

    @property
    def leads(self) -> bool:
        """Whether we hold the Lease and could renew it lately."""
        return self._renewed_s is not None and (
            self._clock.monotonic() < self._renewed_s + GIVE_UP_AFTER_S
        )

    async def run(self) -> None:
        """Hold the Lease, or wait for it, until cancelled; then give it back."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_REQUEST_DEADLINE_S):
                        await self._look()
                except (FleetError, TimeoutError) as error:
                    _log.warning("the lease cannot be renewed: %s", str(error) or "no answer")
                self._tell()
                await self._clock.sleep(RENEW_EVERY_S * random.uniform(0.9, 1.1))
        finally:
            await self._give_back()

    def _tell(self) -> None:
        if self.leads != self._told:
            self._told = self.leads
            _log.info("%s %s", self._me, "writes now" if self._told else "does not write any more")
            self.on_change(self._told)

    async def _look(self) -> None:
        """Read the Lease; take or renew it where we may."""
        began_s = self._clock.monotonic()
        path = paths.lease(self._namespace, LEASE_NAME)
        lease = await self._client.get(path)
        if lease is None:
            await self._client.create(paths.leases(self._namespace), self._new())
            self._renewed_s = began_s
            return
        spec = lease.get("spec") or {}
        self._seen = observed(self._seen, spec, began_s)
        if self._seen.holder != self._me:
            self._renewed_s = None
        if not may_take(self._seen, self._me, began_s):
            return
        try:
            stored = await self._client.replace(path, self._taken(lease, spec))
        except ConflictError:
            self._renewed_s = None
            return
        self._seen = observed(self._seen, stored["spec"], began_s)
        self._renewed_s = began_s

    def _new(self) -> Object:
        now = _micro_time()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE_NAME, "namespace": self._namespace},
            "spec": self._spec(acquired=now, renewed=now, transitions=0),
        }

    def _taken(self, lease: Object, spec: dict[str, Any]) -> Object:
        now, ours = _micro_time(), spec.get("holderIdentity") == self._me
        acquired = spec.get("acquireTime") if ours else now
        transitions = int(spec.get("leaseTransitions") or 0) + (not ours)
        taken = self._spec(acquired=acquired, renewed=now, transitions=transitions)
        return {**lease, "spec": taken}

    def _spec(self, *, acquired: str | None, renewed: str, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._me,
            "leaseDurationSeconds": DURATION_S,
            "acquireTime": acquired,
            "renewTime": renewed,
            "leaseTransitions": transitions,
        }

    async def _give_back(self) -> None:
        """Let the next one begin at once, if it is ours to give."""
        if not self.leads:
            return
        self._renewed_s = None
        try:
            async with asyncio.timeout(_REQUEST_DEADLINE_S):
                path = paths.lease(self._namespace, LEASE_NAME)
                lease = await self._client.get(path)
                if lease is not None and lease["spec"].get("holderIdentity") == self._me:
                    lease["spec"]["holderIdentity"] = ""
                    await self._client.replace(path, lease)
        except (FleetError, TimeoutError) as error:
            _log.info("the lease runs out by itself: %s", str(error) or "no answer")


def _micro_time() -> str:
    """Return now as a Kubernetes ``MicroTime``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
