"""The control plane: from Deployments to desired state, and from reports to status."""
