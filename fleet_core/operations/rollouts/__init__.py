"""What a person can do to rollouts: pause, resume, promote, abort, revert, and undo a change."""
