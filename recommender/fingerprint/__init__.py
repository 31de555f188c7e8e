"""Which known workload a GPU workload behaves like: the model in use, its versions on disk, and whether it still fits.

Law: XGBoost is loaded with the first model and not before; a process without one never has it. A model that cannot be read
changes nothing: the one before goes on, and /metrics shows its age. Files are written by `shelf` alone.
"""
