"""Scrapes a dcgm-exporter on this node: its GPUs as telemetry rows.

Law: reads what the exporter shows and asks it for nothing more; which fields it shows is set by its counters file
(deploy/dcgm/counters.csv). Standard library only.
"""
