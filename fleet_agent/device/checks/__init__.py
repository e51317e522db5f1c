"""One module for each thing that can keep a device from doing its work."""
