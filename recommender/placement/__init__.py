"""Placement: where one job or a gang goes, as a sum of small scorers with reasons; weights are policy.

Law: pure; no I/O, no clock. Columns over nodes: arrays are [nodes] or [GPU slots, nodes], so that a decision touches
memory in order. Nothing is refused to keep room for others: a request that fits somewhere is placed.
"""
