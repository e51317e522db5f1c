"""The terminal UI for fleet operators."""

__version__ = "0.1.0"
