"""The terminal under the app: guards at the door, colours, a driver that cannot be stalled."""
