"""Receives what metric systems push: Prometheus remote-write 1.0 and 2.0, and OTLP metrics over HTTP.

Law: a server, so it may import numpy, protobuf and uvicorn, and is itself imported only when `--listen` is given; no
other room of the collector imports it. Samples are columns from the wire to the row; a series that was seen before
costs one look-up. A sender is trusted with nothing: declared sizes, labels, series and times are bounded, and what is
refused has a reason.
"""
