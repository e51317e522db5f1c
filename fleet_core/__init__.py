"""What the fleet's programs share: contracts, messaging, read model, operations, control plane."""
