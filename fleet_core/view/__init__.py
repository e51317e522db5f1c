"""The read model: an indexed picture of the fleet in memory, without I/O."""
