"""What a device does when it is told to."""
