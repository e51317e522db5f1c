"""Health checks of services: the kubelet's rules, the checks themselves, and who asks when."""
