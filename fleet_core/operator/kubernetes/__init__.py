"""Deployments and Devices in a Kubernetes cluster, and which of several operators writes."""
