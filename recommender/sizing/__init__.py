"""Vertical sizing: small estimators over columns of workloads, then policy. Pure."""
