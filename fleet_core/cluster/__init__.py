"""The seam to Kubernetes: the only room that imports its client and kopf."""
