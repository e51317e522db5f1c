"""Whole fleets in one process: the real agent over simulated containers, with seeded faults."""
