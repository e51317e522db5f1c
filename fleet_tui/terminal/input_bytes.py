"""The bytes that a terminal sends, made into text that Textual's parser can take. Pure."""

from __future__ import annotations

from codecs import getincrementaldecoder

_ESCAPE = 0x1B
_BRACKET = ord("[")
_MOUSE = ord("M")
_COORDINATES = 3
"""An X10 mouse report is ``ESC [ M`` and three raw bytes: button, column, row."""


class InputDecoder:
    """Decodes UTF-8 as it arrives in pieces, whatever the bytes are.

    Terminals that were left in the X10 mouse mode (as after tmux reattaches) send raw bytes that
    are not UTF-8: Textual 8.2.8 ends with a traceback then. Their three bytes are blanked, so that
    no click ever reads as a key.
    """

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._matched = 0
        """How many bytes of an X10 report were seen, from its ``ESC`` on."""

    def decode(self, data: bytes) -> str:
        """Return the text of the next bytes; what is malformed becomes U+FFFD."""
        if self._matched or b"\x1b" in data:
            data = self._blank_mouse_reports(data)
        return self._decode(data)

    def _blank_mouse_reports(self, data: bytes) -> bytes:
        blanked = bytearray(data)
        matched = self._matched
        for index, byte in enumerate(data):
            if matched >= _COORDINATES:
                blanked[index] = ord(" ")
                matched = (matched + 1) % (2 * _COORDINATES)
            elif byte == _ESCAPE:
                matched = 1
            elif (matched, byte) in ((1, _BRACKET), (2, _MOUSE)):
                matched += 1
            else:
                matched = 0
        self._matched = matched
        return bytes(blanked)
