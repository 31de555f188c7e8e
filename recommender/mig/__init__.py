"""MIG: which slice a workload needs, which GPUs carry a set of them, and how to get there from the layout of today.

Law: pure; no I/O, no clock. `scipy` (HiGHS) is imported in `solve` and `match` only. It proposes layouts and moves;
it never repartitions a GPU.
"""
