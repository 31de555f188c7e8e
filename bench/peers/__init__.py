"""Peers as they are: real programs, built from their own packages and measured in the same run as ours."""
