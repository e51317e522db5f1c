"""The NATS seam: the only room that imports ``nats``."""
