"""Vertical sizing: small estimators over columns of workloads, then policy. Pure: no I/O, no clock.

Read `decide` first. Arrays have a row per workload, `[n]`, or `[n, 2]` over `models.profile.RESOURCES`; NaN is "not known".
CPU is compressible and sized by a percentile; memory is not, and is sized by peaks, never by a mean.
"""
