"""One KV bucket: get, put, create, compare-and-set, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.errors import (
    BrokenError,
    ConflictError,
    DeviceOfflineError,
    DeviceTimeoutError,
    NotFoundError,
    RetryLaterError,
)
from fleet_core.messaging.jetstream import API, API_TIMEOUT_S, checked, unix_seconds
from fleet_core.messaging.requests import STATUS_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.messaging.connection import Connection

OPERATION_HEADER: Final = "KV-Operation"
_EXPECTED_REVISION_HEADER: Final = "Nats-Expected-Last-Subject-Sequence"
_NOT_FOUND_STATUS: Final = "404"


@dataclass(frozen=True, slots=True)
class KvEntry:
    """One value of a bucket."""

    key: str
    value: bytes
    revision: int
    received_at_s: float
    """Unix seconds at which the server took it."""
    headers: Mapping[str, str]


class KvBucket:
    """Reads and writes single keys.

    Every method raises RetryLaterError when the server does not answer (a write may then still be
    applied later, so repeat it only if its content is idempotent or it is a compare-and-set), and
    CannotConnectError when there is no link.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection

    async def get(self, key: str) -> KvEntry | None:
        """Return the value of a key; None if there is none, or it was deleted."""
        entry = await self._last(key)
        return None if entry is None or OPERATION_HEADER in entry.headers else entry

    async def put(self, key: str, value: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Write a value, whatever is there; returns its revision."""
        return await self._write(key, value, dict(headers or {}))

    async def create(self, key: str, value: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Write a value where there is none; returns its revision.

        Raises:
            ConflictError: the key has a value.
        """
        last = await self._last(key)
        if last is not None and OPERATION_HEADER not in last.headers:
            raise ConflictError(f"{self.name} already has {key}")
        return await self.update(key, value, last.revision if last else 0, headers)

    async def update(
        self,
        key: str,
        value: bytes,
        revision: int,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Write a value if the key is still at ``revision``; returns the new revision.

        Raises:
            ConflictError: somebody else wrote first.
        """
        guarded = {**(headers or {}), _EXPECTED_REVISION_HEADER: str(revision)}
        return await self._write(key, value, guarded)

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete a key; deleting what is not there is no error.

        Raises:
            ConflictError: a revision was given, and somebody else wrote first.
        """
        headers = {OPERATION_HEADER: "DEL"}
        if revision is not None:
            headers[_EXPECTED_REVISION_HEADER] = str(revision)
        await self._write(key, b"", headers)

    async def _last(self, key: str) -> KvEntry | None:
        subject = f"$KV.{self.name}.{key}"
        try:
            reply = await self._connection.requests.request(
                f"{API}.DIRECT.GET.KV_{self.name}.{subject}", b"", API_TIMEOUT_S
            )
        except (DeviceOfflineError, DeviceTimeoutError) as error:
            raise self._no_answer() from error
        status = reply.headers.get(STATUS_HEADER)
        if status == _NOT_FOUND_STATUS:
            return None
        if status is not None:
            raise BrokenError(f"reading {self.name}: {reply.headers.get('Description', status)}")
        received_at_s = unix_seconds(reply.headers["Nats-Time-Stamp"])
        revision = int(reply.headers["Nats-Sequence"])
        return KvEntry(key, reply.data, revision, received_at_s, reply.headers)

    async def _write(self, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        try:
            reply = await self._connection.requests.request(
                f"$KV.{self.name}.{key}", value, API_TIMEOUT_S, headers=headers or None
            )
        except (DeviceOfflineError, DeviceTimeoutError) as error:
            raise self._no_answer() from error
        try:
            return int(checked(reply.data)["seq"])
        except NotFoundError as error:
            raise self._no_answer() from error

    def _no_answer(self) -> RetryLaterError:
        return RetryLaterError(
            f"the bucket {self.name} does not answer",
            remedy="is JetStream enabled, and has the operator created the buckets?",
        )
