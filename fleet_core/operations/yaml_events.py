"""YAML's events built into plain JSON values, without recursion, and with every bomb refused.

Anchors, aliases and merge keys work, bounded by what they expand to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from fleet_core.errors import InvalidInputError
from fleet_core.operations.yaml_scalars import plain_value

MAX_DEPTH: Final = 64
"""A Deployment nests ten deep; a parser that recurses breaks at about a thousand."""
MAX_WEIGHT: Final = 4 * 1024 * 1024
"""Characters of all scalars after aliases are expanded, plus `_NODE_WEIGHT` for each node."""
MAX_DOCUMENTS: Final = 1_000
_NODE_WEIGHT: Final = 16
_STR_TAG: Final = "tag:yaml.org,2002:str"
_PLAIN_TAGS: Final = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_MERGE_KEY: Final = "<<"


class DocumentError(InvalidInputError):
    """The text was refused; ``document`` counts from 1, ``line`` is 0 where it is not known."""

    def __init__(self, said: str, *, document: int, line: int, path: str, expected: str) -> None:
        super().__init__(said, path=path, expected=expected)
        self.document = document
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    number: int
    value: Any
    lines: dict[str, int]
    """The line on which the value at a path begins, for error messages."""

    def line_of(self, path: str) -> int:
        """Return the line of a path, or of the nearest thing around it; 0 if there is none."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get("", 0)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is being read."""

    value: Any
    is_map: bool
    path: str
    anchor: str | None
    weight_before: int
    key: str | None = None
    merges: list[dict[str, Any]] = field(default_factory=list)


class DocumentBuilder:
    """Builds values from YAML's events, without recursion."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._number = 0
        self._weight = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._lines: dict[str, int] = {}
        self._root: Any = None

    def take(self, event: yaml.Event) -> None:
        """Take one event."""
        match event:
            case yaml.DocumentStartEvent():
                self._number += 1
                self._anchors, self._lines, self._root = {}, {}, None
                if self._number > MAX_DOCUMENTS:
                    raise self._error(event, "too many documents", f"at most {MAX_DOCUMENTS}")
            case yaml.DocumentEndEvent():
                self.documents.append(Document(self._number, self._root, self._lines))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)

    def not_yaml(self, error: yaml.YAMLError) -> DocumentError:
        """Return the parser's own error in our words."""
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).partition("\n")[0]
        return DocumentError(
            f"not YAML: {said}",
            document=max(self._number, 1),
            line=mark.line + 1 if mark is not None else 0,
            path="",
            expected="YAML",
        )

    def _path(self) -> str:
        """Return the path of the value that comes next."""
        if not self._stack:
            return ""
        frame = self._stack[-1]
        if not frame.is_map:
            return f"{frame.path}[{len(frame.value)}]"
        key = frame.key or ""
        return f"{frame.path}.{key}" if frame.path else key

    def _error(self, event: yaml.Event, said: str, expected: str) -> DocumentError:
        return DocumentError(
            said,
            document=self._number,
            line=_line(event),
            path=self._path(),
            expected=expected,
        )

    def _weigh(self, event: yaml.Event, weight: int) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise self._error(event, "too much data", f"at most {MAX_WEIGHT} with aliases expanded")

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_map and self._stack[-1].key is None

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if self._expects_key():
            raise self._error(event, "a key is no text", "text as a key")
        if event.tag not in _PLAIN_TAGS:
            raise self._error(event, f"the tag {event.tag!r} is not known", "a plain value")
        if len(self._stack) >= MAX_DEPTH:
            raise self._error(event, "nested too deeply", f"at most {MAX_DEPTH} levels")
        path = self._path()
        self._lines[path] = _line(event)
        is_map = isinstance(event, yaml.MappingStartEvent)
        value: Any = {} if is_map else []
        self._stack.append(_Frame(value, is_map, path, event.anchor, self._weight))
        self._weigh(event, _NODE_WEIGHT)

    def _close(self, event: yaml.Event) -> None:
        frame = self._stack.pop()
        for merged in frame.merges:
            frame.value.update({k: v for k, v in merged.items() if k not in frame.value})
        self._add(event, frame.value, frame.anchor, self._weight - frame.weight_before)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._weigh(event, _NODE_WEIGHT + len(event.value))
        if self._expects_key():
            self._key(event)
            return
        self._lines[self._path()] = _line(event)
        value = self._scalar_value(event)
        self._add(event, value, event.anchor, _NODE_WEIGHT + len(event.value))

    def _key(self, event: yaml.ScalarEvent) -> None:
        frame = self._stack[-1]
        key = self._scalar_value(event)
        if not isinstance(key, str):
            raise self._error(event, f"the key {event.value!r} is no text", "text: quote it")
        if key in frame.value:
            frame.key = key
            raise self._error(event, f"{key[:64]!r} stands twice", "each key once")
        frame.key = key

    def _scalar_value(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if "\0" in text:
            raise self._error(event, "the text holds a NUL", "text without NUL")
        if event.tag == _STR_TAG or (event.tag in _PLAIN_TAGS and not event.implicit[0]):
            return text
        if event.tag not in _PLAIN_TAGS:
            raise self._error(event, f"the tag {event.tag!r} is not known", "a plain value")
        return self._plain(event, text)

    def _plain(self, event: yaml.ScalarEvent, text: str) -> Any:
        try:
            return plain_value(text)
        except InvalidInputError as error:
            raise self._error(event, error.message, error.expected) from error

    def _alias(self, event: yaml.AliasEvent) -> None:
        if self._expects_key():
            raise self._error(event, "a key is an alias", "text as a key")
        if event.anchor not in self._anchors:
            raise self._error(
                event, f"*{event.anchor} is no anchor above it", "an anchor that is complete"
            )
        value, weight = self._anchors[event.anchor]
        self._weigh(event, weight)
        self._add(event, value, None, weight)

    def _add(self, event: yaml.Event, value: Any, anchor: str | None, weight: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, weight)
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        if not frame.is_map:
            frame.value.append(value)
        elif frame.key == _MERGE_KEY:
            frame.merges += self._merge_sources(event, value)
            frame.key = None
        else:
            frame.value[frame.key or ""] = value
            frame.key = None

    def _merge_sources(self, event: yaml.Event, value: Any) -> list[dict[str, Any]]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._error(event, "<< merges something that is no map", "a map")
        return sources
