"""How fast a workload runs on a slice of a GPU, from what is seen while it has all of it.

Law: pure; learning (`train`) needs scikit-learn, serving needs numpy only. What is learned is a table of numbers that is
monotone by construction: a larger slice is never slower, and a more demanding workload never faster, so that a
recommendation cannot shrink when demand grows. The model is per telemetry source: NVML utilisation and DCGM's engine
activity mean different things, and a model of one has no skill on the other.
"""
