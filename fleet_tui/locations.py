"""Places in the app as they are typed: ``devices /site=berlin``, ``device kiosk-17``. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A view, what it shows, and the filter on it."""

    view: str
    argument: str = ""
    filter: str = ""

    @classmethod
    def parse(cls, line: str) -> Location:
        """Read what is typed after the colon; a filter begins with ``/`` after a blank."""
        head, slash, text = f" {line.strip().removeprefix(':')}".partition(" /")
        words = head.split(maxsplit=1)
        view = words[0] if words else ""
        argument = words[1].strip() if len(words) > 1 else ""
        return cls(view, argument, text.strip() if slash else "")

    @classmethod
    def verbatim(cls, line: str) -> Location:
        """Read what is typed after the colon, where a slash stands for nothing but itself."""
        view, _, argument = line.strip().removeprefix(":").lstrip().partition(" ")
        return cls(view, argument.strip())

    def __str__(self) -> str:
        """Return it as it can be typed."""
        words = [self.view, self.argument, f"/{self.filter}" if self.filter else ""]
        return ":" + " ".join(word for word in words if word)
