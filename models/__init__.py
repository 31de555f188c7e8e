"""What every stage shares: the vocabulary, the hardware facts and what was learned.

Law: plain data and pure functions. No I/O, no clock, no environment, no third-party client.
Modules that a collector imports (workload, signals, telemetry, inventory, events, metrics) need nothing
outside the standard library; `profile` and `recommendation` are columns and need numpy.
"""
