"""The admission webhook: a pod that is about to be created gets the size that its workload needs, or a word about it.

Law: it never stands in a pod's way. Whatever happens, the answer is `allowed`, within the deadline; without data, on an
error of its own, or when a rule cannot be kept, the pod stays as it came. A review is pure and does no I/O: what it needs
to know of the log and of the cluster was read before, by threads of their own. A patch touches only the quantities that
change, never an array or a map as a whole, and never the pod's QoS class.
"""
