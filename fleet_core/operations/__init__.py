"""What a person can do to the fleet, planned, audited, and offered alike by the TUI and the CLI."""
