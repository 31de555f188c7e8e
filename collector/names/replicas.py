"""Labels that name one of several Prometheus which see the same."""

REPLICA_LABELS = ("prometheus_replica", "__replica__", "replica")
"""Of kube-prometheus, of Mimir and Cortex, and of most hand-made set-ups."""
