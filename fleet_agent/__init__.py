"""The device agent: makes the desired deployments run, and tells what it sees."""
