"""NVIDIA GPUs and MIG instances of one machine as a source: NVML and GPM in; rows, errors and inventory out.

Law: `driver` alone imports pynvml, and only where there is a driver. Whatever NVML answers is a value, a refusal with a
reason, or a GPU that is gone; never a crash, and never a handle kept over a change of the MIG layout. A device's own
numbers go to one row only: what several workloads share is not counted for each of them.
"""
