"""Asks the Kubernetes API what only it knows of this node: labels, zone, spot, taints, and what of it pods may have."""
