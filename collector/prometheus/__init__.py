"""Reads the history that a Prometheus, Thanos, Mimir or VictoriaMetrics holds, and publishes it as telemetry.

Law: asks for compressed chunks by remote read, and where that is not spoken only what all of them answer (`query` and the
values of `__name__`). Reads raw samples with their own times and makes rates itself, so that no growth of a counter is
lost or smeared. Goes forward in time over all workloads at once, and saves how far it is in the transaction that holds the
rows. Samples are columns from the wire to the message. A command of its own, so it may import numpy; never pandas or pyarrow.
"""
