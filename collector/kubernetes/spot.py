"""Which labels say that a node may be taken away at any time, and which that it may not."""

from __future__ import annotations

from collections.abc import Mapping

SPOT: Mapping[str, frozenset[str]] = {
    label: frozenset(values.split())
    for label, values in {
        # karpenter.sh/docs/concepts/nodepools: spot, on-demand or reserved
        "karpenter.sh/capacity-type": "spot",
        # EKS managed node groups: SPOT, ON_DEMAND or CAPACITY_BLOCK
        "eks.amazonaws.com/capacityType": "spot",
        # GKE Spot VMs, and what it offered before them, which lives for a day at most
        "cloud.google.com/gke-spot": "true",
        "cloud.google.com/gke-preemptible": "true",
        "cloud.google.com/gke-provisioning": "spot preemptible",
        # AKS spot node pools
        "kubernetes.azure.com/scalesetpriority": "spot",
        # OKE preemptible capacity
        "oci.oraclecloud.com/oke-is-preemptible": "true",
        # Spot Ocean: spot or od; CAST AI
        "spotinst.io/node-lifecycle": "spot",
        "scheduling.cast.ai/spot": "true",
        # by custom, as no cloud sets it: kops and eksctl examples; AWS CDK and node-termination-handler
        "node.kubernetes.io/lifecycle": "spot",
        "node-lifecycle": "spot",
        "lifecycle": "ec2spot spot",
    }.items()
}
"""Values in lower case that mean spot; any other value of these labels means that it is not."""


def is_spot(labels: Mapping[str, str]) -> bool | None:
    """Whether any label says spot. None: none of them is there, so nobody tells."""
    said = [labels[label].lower() in values for label, values in SPOT.items() if label in labels]
    return any(said) if said else None
