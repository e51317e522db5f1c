"""What a person can do to the fleet, for the terminal UI and the command line alike."""
