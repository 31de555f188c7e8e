"""Reads the history that a Prometheus, Thanos, Mimir or VictoriaMetrics holds, and publishes it as telemetry.

Law: asks only what all of them answer (`query` and the values of `__name__`). Reads raw samples with
their own times and makes rates itself, so that no growth of a counter is lost or smeared. Goes forward in time over all
workloads at once, and saves how far it is in the transaction that holds the rows. numpy and pandas are never imported.
"""
