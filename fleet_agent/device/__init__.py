"""What a person does on the device: install the agent as a service, and check that it can work."""
