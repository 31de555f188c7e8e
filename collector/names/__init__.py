"""What other systems call things, in our words: metric names into signals and units, labels into workloads.

Law: declarations and pure functions; no I/O, no clock. Every source that speaks of foreign names (the dcgm-exporter
scrape, the history import, the push receivers) reads the one table here, so that a name is known to all or to none.
"""
