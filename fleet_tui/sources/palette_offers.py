"""What the palette finds: actions, views, commands, deployments, and any of 100,000 devices. Pure.

Scoring each of 100,000 names takes 0.45 s a key. Device names are searched as one long text
instead, until there are enough of them: less than a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from textual.binding import ActiveBinding

MAX_OFFERS: Final = 30
_EXACT, _PREFIX, _WORD, _PART, _LETTERS, _ABOUT = range(6)
"""How well something matches, best first."""
_MIN_LETTERS: Final = 3
"""Fewer letters in order are found in nearly everything."""
_FEW: Final = 5_000
"""Up to so many places, going from one to the next is quicker than looking at each name."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that the palette can do."""

    text: str
    about: str
    line: str = ""
    """What is run as if it were typed; one that ends with a blank is to be completed by hand."""
    bound: ActiveBinding | None = None
    """What is done in place of a line."""
    key: str = ""
    """The key that does it without the palette."""


class OfferIndex:
    """Searches offers and device names by what is typed."""

    def __init__(self, offers: Sequence[Offer], devices: Collection[str]) -> None:
        self._offers = offers
        self._devices = devices
        # Device ids are DNS labels: lower case, and never with a line break.
        self._names = "\n".join(("", *self._devices, ""))

    def find(self, text: str, limit: int = MAX_OFFERS) -> list[Offer]:
        """Return what matches, best first; nothing typed offers everything but the devices."""
        words = text.lower().split()
        if not words:
            return list(self._offers[:limit])
        ranked = [(_rank(offer, words), offer) for offer in self._offers]
        found = [(rank, offer) for rank, offer in ranked if rank is not None]
        found += [
            (_rank_name(name, words[0]), _device(name)) for name in self._called(words, limit)
        ]
        found.sort(key=lambda each: each[0])
        return [offer for _, offer in found[:limit]]

    def _called(self, words: Sequence[str], limit: int) -> list[str]:
        """Return names that hold all of the words; the whole name and beginnings come first."""
        if len(words) > 1:
            return self._called_all(words)[:limit]
        word = words[0]
        found = {word: None} if word in self._devices else {}
        for part in (f"\n{word}", word):
            found.update(dict.fromkeys(self._holding(part, limit)))
        return list(found)[:limit]

    def _called_all(self, words: Sequence[str]) -> list[str]:
        counts = {word: self._names.count(word) for word in words}
        rarest, *others = sorted(counts, key=counts.__getitem__)
        if counts[rarest] < _FEW:
            names = list(self._holding(rarest, _FEW))
        else:
            names = [name for name in self._devices if rarest in name]
        for word in others:
            names = [name for name in names if word in name]
        return names

    def _holding(self, part: str, limit: int) -> Iterator[str]:
        """Return up to ``limit`` names that hold the part; a leading line break means the start."""
        names, at = self._names, 0
        for _ in range(limit):
            at = names.find(part, at)
            if at < 0:
                return
            start = names.rfind("\n", 0, at + 1) + 1
            at = names.find("\n", start)
            yield names[start:at]


def _device(name: str) -> Offer:
    return Offer(name, "device", line=f"device {name}")


def _rank_name(name: str, word: str) -> int:
    if name == word:
        return _EXACT
    return _PREFIX if name.startswith(word) else _PART


def _rank(offer: Offer, words: Sequence[str]) -> int | None:
    """Return how well an offer matches all of the words; None where one is missing."""
    ranks = [_rank_word(offer, word) for word in words]
    return None if None in ranks else max(rank for rank in ranks if rank is not None)


def _rank_word(offer: Offer, word: str) -> int | None:
    text = offer.text.lower()
    if word == text:
        return _EXACT
    if text.startswith(word):
        return _PREFIX
    if f" {word}" in text or f"-{word}" in text:
        return _WORD
    if word in text:
        return _PART
    if len(word) >= _MIN_LETTERS and _holds_in_order(text, word):
        return _LETTERS
    return _ABOUT if word in offer.about.lower() else None


def _holds_in_order(text: str, letters: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in letters)
