"""The ``fleet`` command: every capability as plain lines, JSON or YAML, with stable exit codes."""
