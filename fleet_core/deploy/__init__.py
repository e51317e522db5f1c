"""Deploying a fleet: Scores, the topologies they are interpreted in, and their smoke tests."""
