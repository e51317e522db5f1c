"""The device agent: makes the desired deployments run, and tells what it sees."""

__version__ = "0.1.0"
