"""The terminal UI for fleet operators."""
