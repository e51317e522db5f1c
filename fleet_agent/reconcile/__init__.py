"""Making a device run what its manifest says: pure decisions, and the loops around them."""
