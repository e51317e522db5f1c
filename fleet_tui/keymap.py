"""Keys by the ids of what they do, as people remap them in the ``[keys]`` table of the config file.

Every binding of the app has an id (``table.down``, ``device.ping``); the table gives some of them
other keys::

    [keys]
    "table.down" = "n"
    "device.ping" = ["P", "f5"]

Whatever is wrong with it is told at start, and the binding concerned keeps its own keys.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.binding import Binding
from textual.keys import KEY_TO_UNICODE_NAME, Keys, format_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual.dom import DOMNode

MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
UNRELIABLE_KEYS: Final = frozenset(
    {"ctrl+enter", "shift+enter", "ctrl+space", "ctrl+at", "ctrl+a", "ctrl+b", "ctrl+s", "ctrl+z"}
)
"""Taken by tmux, screen or the terminal, or sent by no terminal without the Kitty protocol."""

YIELDING_IDS: Final = frozenset({"table.h", "table.l"})
"""Bindings that give way to any other with the same key: no clash."""

_NAMED_KEYS: Final = frozenset(key.value for key in Keys) | frozenset(KEY_TO_UNICODE_NAME)


@dataclass(frozen=True, slots=True)
class Keymap:
    """What `textual.app.App.set_keymap` takes, and what was wrong with the config."""

    keys: Mapping[str, str]
    """Ids to comma-separated keys, for the bindings that were remapped."""
    problems: tuple[str, ...] = ()
    """One sentence for each thing that is wrong."""


def bindings_of(node: type[DOMNode]) -> list[Binding]:
    """Return the bindings of a class of app, screen or widget: one `Binding` for each key."""
    found: list[Binding] = []
    for ancestor in node.__mro__:
        found += Binding.make_bindings(vars(ancestor).get("BINDINGS", ()))
        if vars(ancestor).get("_inherit_bindings") is False:
            break
    return found


def resolve_keymap(
    chains: Mapping[str, Sequence[Binding]], overrides: Mapping[str, object]
) -> Keymap:
    """Make a keymap of a config's ``[keys]`` table.

    Args:
        chains: for each view, the bindings that are in force together there (those of the app, of
            the screen and of what has the focus): within one of them a key must mean one thing.
        overrides: the table as it was read; nested tables count as dotted ids.
    """
    known = {binding.id for bindings in chains.values() for binding in bindings if binding.id}
    keys: dict[str, str] = {}
    problems: list[str] = []
    for binding_id, value in _flatten(overrides):
        wanted, wrong = _parse_keys(value)
        if binding_id not in known:
            problems.append(_unknown_id(binding_id, known))
        elif wrong:
            problems.append(f"keys: {binding_id}: {wrong}")
        else:
            keys[binding_id] = ",".join(wanted)
            problems += _unreliable(binding_id, wanted)
    while clash := _first_clash(chains, keys):
        key, loser, other, view = clash
        del keys[loser]
        problems.append(
            f"keys: {loser}: {format_key(key)!r} is taken by {other} in {view}; "
            f"{loser} keeps its own keys"
        )
    return Keymap(keys, tuple(problems))


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _parse_keys(value: object) -> tuple[list[str], str]:
    """Return Textual's names of the keys, or what is wrong with them."""
    texts = value if isinstance(value, list) else [value]
    keys = []
    for text in texts:
        if not isinstance(text, str) or not _is_key(text):
            return [], f"{text!r} is no key; expected for example 'n', 'ctrl+d' or 'f5'"
        keys.append(_normal(text))
    if not keys:
        return [], "expected at least one key"
    return keys, ""


def _is_key(text: str) -> bool:
    *modifiers, key = text.split("+") if len(text) > 1 else [text]
    if not MODIFIERS.issuperset(modifiers):
        return False
    return (len(key) == 1 and key.isprintable() and key != " ") or key in _NAMED_KEYS


def _normal(key: str) -> str:
    """Return Textual's own name of a key: ``question_mark`` for ``?``."""
    binding = next(iter(Binding.make_bindings([Binding(key if key != "," else "comma", "")])))
    return binding.key


def _unknown_id(binding_id: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(binding_id, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"keys: there is no binding {binding_id!r}{hint}"


def _unreliable(binding_id: str, keys: Iterable[str]) -> list[str]:
    return [
        f"keys: {binding_id}: {key!r} may never arrive, through tmux, screen or SSH"
        for key in keys
        if key in UNRELIABLE_KEYS or key.startswith("alt+")
    ]


def _first_clash(
    chains: Mapping[str, Sequence[Binding]], keys: Mapping[str, str]
) -> tuple[str, str, str, str] | None:
    """Return (key, remapped id, the other binding, view) of a key that means two things."""
    for view, bindings in chains.items():
        meanings: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for binding in bindings:
            name = binding.id or binding.action
            if name in YIELDING_IDS:
                continue
            for key in keys[name].split(",") if name in keys else [binding.key]:
                meanings[key][name] = None
        for key, names in meanings.items():
            remapped = [name for name in names if name in keys]
            if len(names) > 1 and remapped:
                loser = remapped[-1]
                other = next(name for name in names if name != loser)
                return key, loser, other, view
    return None
