"""The rollout engine: which device is told of which version, and when. Pure: no I/O, no clock."""
