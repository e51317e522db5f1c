"""The filter language: words, conditions, ``and or not ( )``; the same wherever devices are chosen.

::

    berlin                      the word stands in id, labels, version or reason
    site=berlin status!=online  both; a space means ``and``
    age>10m or version~1.4      ``~`` contains, ``!~`` does not
    deploy:web=failed           how a deployment stands: ok, pending, failed, none
    not (ring=1 or hw=pi5)
    label="two words"           quotes where a value holds a space or a bracket
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from fleet_core.errors import InvalidInputError
from fleet_core.view.filter_terms import FIELDS, OPERATORS, Condition, Predicate, Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.view.devices import DeviceColumns

MAX_LENGTH: Final = 1_000
_MAX_DEPTH: Final = 50
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+) | (?P<bracket>[()]) | (?P<operator>!=|!~|<=|>=|=|~|<|>)
      | "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<bare>[^\s()"'=~<>!]+) | (?P<bad>.)""",
    re.VERBOSE,
)
_PLAIN: Final = re.compile(r"""[^\s()"'=~<>!]+\Z""")
_KEYWORDS: Final = frozenset({"and", "or", "not"})


class FilterError(InvalidInputError):
    """A filter that is no filter: ``position`` is where, counted from 0."""

    def __init__(self, message: str, *, position: int, expected: str) -> None:
        super().__init__(message, path=f"filter[{position}]", expected=expected)
        self.position = position


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match its term."""

    term: Term

    def predicate(self, devices: DeviceColumns) -> Predicate:
        """Return what tells whether a device matches."""
        inner = self.term.predicate(devices)
        return lambda slot, now_s: not inner(slot, now_s)


@dataclass(frozen=True, slots=True)
class All:
    """What matches all of its terms."""

    terms: tuple[Term, ...]

    def predicate(self, devices: DeviceColumns) -> Predicate:
        """Return what tells whether a device matches."""
        parts = [term.predicate(devices) for term in self.terms]
        return lambda slot, now_s: all(part(slot, now_s) for part in parts)


@dataclass(frozen=True, slots=True)
class Any:
    """What matches at least one of its terms."""

    terms: tuple[Term, ...]

    def predicate(self, devices: DeviceColumns) -> Predicate:
        """Return what tells whether a device matches."""
        parts = [term.predicate(devices) for term in self.terms]
        return lambda slot, now_s: any(part(slot, now_s) for part in parts)


Term: TypeAlias = Word | Condition | Not | All | Any


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; ``str`` gives it back in one canonical form."""

    term: Term | None
    """None matches every device."""

    def matches(self, devices: DeviceColumns, slot: int, now_s: float) -> bool:
        """Tell whether one device matches."""
        return self.term is None or self.term.predicate(devices)(slot, now_s)

    def select(self, devices: DeviceColumns, now_s: float) -> list[int]:
        """Return the slots of all devices that match."""
        slots = devices.slot_of.values()
        if self.term is None:
            return list(slots)
        if isinstance(self.term, Word):
            # Four fifths of what is typed: worth a loop without a call for each device.
            wanted, texts = self.term.text.lower(), devices.texts
            return [slot for slot in slots if wanted in texts[slot]]
        predicate = self.term.predicate(devices)
        return [slot for slot in slots if predicate(slot, now_s)]

    def __str__(self) -> str:
        """Return it as it could be typed."""
        return "" if self.term is None else _written(self.term, outermost=True)


def parse_filter(text: str) -> Filter:
    """Parse a filter; blank text matches everything.

    Raises:
        FilterError: with the position of what is wrong, and what was expected there.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            "the filter is too long",
            position=MAX_LENGTH,
            expected=f"at most {MAX_LENGTH} characters",
        )
    parser = _Parser(text)
    if parser.at_end():
        return Filter(None)
    term = parser.disjunction(0)
    if not parser.at_end():
        raise parser.error(parser.surplus(), "the end, or 'and', 'or'")
    return Filter(term)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


class _Parser:
    """Recursive descent: or ← and ← not ← ( or ) | word | field operator value."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._end = len(text)

    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def error(self, message: str, expected: str) -> FilterError:
        position = self._end if self.at_end() else self._tokens[self._next].position
        return FilterError(message, position=position, expected=expected)

    def surplus(self) -> str:
        """Return what is wrong with a token that nothing takes."""
        text = self._tokens[self._next].text
        return f"a {text!r} too many" if text == ")" else f"{text!r} makes no sense here"

    def disjunction(self, depth: int) -> Term:
        terms = [self._conjunction(depth)]
        while self._take_keyword("or"):
            terms.append(self._conjunction(depth))
        return terms[0] if len(terms) == 1 else Any(tuple(terms))

    def _conjunction(self, depth: int) -> Term:
        terms = [self._negation(depth)]
        while self._take_keyword("and") or self._starts_term():
            terms.append(self._negation(depth))
        return terms[0] if len(terms) == 1 else All(tuple(terms))

    def _negation(self, depth: int) -> Term:
        if depth > _MAX_DEPTH:
            raise self.error("the filter is nested too deeply", f"at most {_MAX_DEPTH} levels")
        if self._take_keyword("not"):
            return Not(self._negation(depth + 1))
        if self._take("bracket", "("):
            inner = self.disjunction(depth + 1)
            if not self._take("bracket", ")"):
                raise self.error("a '(' is not closed", "')'")
            return inner
        return self._comparison()

    def _comparison(self) -> Term:
        name = self._take_text()
        if name is None:
            raise self.error("something is missing", "a word, or a condition as site=berlin")
        start = name.position
        operator = self._take("operator")
        if operator is None:
            return Word(name.text)
        at = self._next
        value = self._take_text(keyword_too=True)
        if value is None:
            raise self.error(f"{name.text}{operator.text} has no value", "a value")
        condition = Condition(name.text, operator.text, value.text)
        return self._checked(condition, start, self._tokens[at].position)

    def _checked(self, condition: Condition, start: int, value_at: int) -> Condition:
        numeric = condition.field in ("age", "restarts", "rtt")
        ordering = condition.operator in ("<", "<=", ">", ">=")
        if ordering and not numeric:
            raise FilterError(
                f"{condition.field} has no order",
                position=start,
                expected="= != ~ !~, or one of age, restarts, rtt",
            )
        if numeric and condition.operator in ("~", "!~"):
            raise FilterError(
                f"{condition.field} is a number", position=start, expected="= != < <= > >="
            )
        if condition.field in ("deploy", "deploy:"):
            raise FilterError("deploy needs a name", position=start, expected="deploy:NAME=failed")
        problem = condition.problem()
        if problem:
            raise FilterError(
                f"{condition.value!r} fits no {condition.field}",
                position=value_at,
                expected=problem,
            )
        return condition

    def _starts_term(self) -> bool:
        if self.at_end():
            return False
        token = self._tokens[self._next]
        if token.kind == "bracket":
            return token.text == "("
        return token.kind == "quoted" or (token.kind == "bare" and token.text.lower() != "or")

    def _take_keyword(self, word: str) -> bool:
        if not self.at_end():
            token = self._tokens[self._next]
            if token.kind == "bare" and token.text.lower() == word:
                self._next += 1
                return True
        return False

    def _take(self, kind: str, text: str | None = None) -> _Token | None:
        if not self.at_end():
            token = self._tokens[self._next]
            if token.kind == kind and text in (None, token.text):
                self._next += 1
                return token
        return None

    def _take_text(self, *, keyword_too: bool = False) -> _Token | None:
        token = None if self.at_end() else self._tokens[self._next]
        if token is None or token.kind not in ("bare", "quoted"):
            return None
        if token.kind == "bare" and not keyword_too and token.text.lower() in _KEYWORDS:
            return None
        self._next += 1
        return token


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "bad"
        if kind == "space":
            continue
        if kind == "bad":
            raise FilterError(
                f"{match[0]!r} cannot stand here",
                position=match.start(),
                expected="a closing quote" if match[0] in "\"'" else "a word or an operator",
            )
        if kind in ("double", "single"):
            kind = "quoted"
            found.append(_Token(kind, match[0][1:-1], match.start()))
        else:
            found.append(_Token(kind, match[0], match.start()))
    return found


def _written(term: Term, *, outermost: bool = False) -> str:
    if isinstance(term, Word):
        return _quoted(term.text)
    if isinstance(term, Condition):
        return f"{_quoted(term.field)}{term.operator}{_quoted(term.value)}"
    if isinstance(term, Not):
        return f"not {_written(term.term)}"
    word = " and " if isinstance(term, All) else " or "
    text = word.join(_written(each) for each in term.terms)
    return text if outermost else f"({text})"


def _quoted(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _KEYWORDS:
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"


def complete(text: str, devices: DeviceColumns) -> list[str]:
    """Return what the last word of a filter could become, whole filters, best first; at most 50."""
    start = max(text.rfind(stop) for stop in " (") + 1
    head, word = text[:start], text[start:]
    for operator in OPERATORS:
        name, found, prefix = word.partition(operator)
        if found:
            values = sorted(_values(name, devices))
            return [f"{head}{name}{found}{each}" for each in values if each.startswith(prefix)][:50]
    labels = {name for each in _label_maps(devices) for name in each}
    names = [*sorted(labels), *FIELDS]
    return [f"{head}{name}" for name in names if name.startswith(word)][:50]


def _values(field: str, devices: DeviceColumns) -> set[str]:
    if field == "status":
        return {"online", "stale", "offline", "unknown"}
    if field.startswith("deploy:"):
        return {"ok", "pending", "failed", "none"}
    if field == "version":
        return set(devices.versions)
    return {each[field] for each in _label_maps(devices) if field in each}


def _label_maps(devices: DeviceColumns) -> list[Mapping[str, str]]:
    return devices.distinct_labels()
