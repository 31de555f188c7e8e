"""A real Kubernetes control plane and the shipped manifests: what is admitted, patched and scheduled."""
