"""What the agent keeps on disk, so that a reboot without a network brings everything up again."""
