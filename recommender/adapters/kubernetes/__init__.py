"""Kubernetes through lightkube: what is watched, the Secret that replicas share, the authority that is trusted.

Law: nothing of lightkube leaves this package, neither objects nor errors.
"""
