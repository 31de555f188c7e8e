"""Reads machines and metric systems and publishes telemetry, inventory and events. Decides nothing.

Law: at 1 Hz on a node with 200 workloads it costs at most 1 % of a core and 60 MB, so numpy, pandas, pyarrow
and the web server are never imported here, but by `listen`, a server that only the command loads and only when it is to
listen. A source that fails is reported and tried again; the others go on.
"""
