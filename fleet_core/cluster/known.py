"""What has been told of a kind of objects, so that each change is told once, in order. Pure.

Resource versions are compared as numbers: those of one kind come from one store, which counts its
changes. Kubernetes promised so from 1.35 on, and has always done it for etcd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

Key = tuple[str, str]
"""Namespace (empty for what stands in none) and name."""
Object = dict[str, Any]


class _Told(NamedTuple):
    uid: str
    version: int
    sequence: int


class KnownObjects:
    """The objects of a kind, as far as they were told."""

    def __init__(self) -> None:
        self.sequence = 0
        """Grows with everything that is told."""
        self._told: dict[Key, _Told] = {}

    def is_news(self, item: Object) -> bool:
        """Take note of an object as it stands; tells whether that is news."""
        key, uid, version = key_of(item), uid_of(item), version_of(item)
        known = self._told.get(key)
        if known is not None and known.version >= version:
            return False
        self.sequence += 1
        self._told[key] = _Told(uid, version, self.sequence)
        return True

    def is_gone(self, item: Object) -> bool:
        """Take note that an object was deleted; tells whether that is news."""
        key = key_of(item)
        known = self._told.get(key)
        if known is None or known.uid != uid_of(item):
            return False
        self.sequence += 1
        del self._told[key]
        return True

    def missing(self, there: Collection[Key], since: int) -> list[Key]:
        """Forget and return what is not ``there`` any more, the keys of a complete list.

        ``since`` is the `sequence` before the list was asked for: what was told later may be newer
        than the list.
        """
        gone = [
            key for key, known in self._told.items() if key not in there and known.sequence <= since
        ]
        for key in gone:
            del self._told[key]
        return gone


def key_of(item: Object) -> Key:
    """Return an object's namespace and name."""
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def uid_of(item: Object) -> str:
    """Return what tells an object from one of the same name before it."""
    return str(item["metadata"].get("uid", ""))


def version_of(item: Object) -> int:
    """Return an object's resource version."""
    text = str(item["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else 0
