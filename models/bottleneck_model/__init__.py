"""The class of a GPU window without profiling counters, learned from windows that have them.

Law: pure; no clock, no I/O. XGBoost is imported here and nowhere else for this purpose. A model is kept as XGBoost's own
binary JSON beside a card that holds its checksum; never as pickle. None is shipped: it is taught by the fleet that uses
it (`sizewise train bottleneck`), as boards, drivers and work differ.
"""
