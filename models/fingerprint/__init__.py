"""What a workload is, told from how it behaves: features, a learned fingerprint, its nearest known kin.

Law: pure; no clock, no I/O. One feature function serves training and serving. Both need numpy and XGBoost alone, and
XGBoost is imported in `boosted` alone. Labels need no people: a workload's own name, image or command is its class.
What was learned is kept in XGBoost's own format, arrays and a card, never as pickle.
"""
