"""What a workload is, told from how it behaves: features, a learned fingerprint, its nearest known kin, a first guess.

Law: pure; no clock, no I/O. One feature function serves training and serving. Learning (`train`) needs scikit-learn;
serving needs numpy and XGBoost, and XGBoost is imported in `boosted` alone. Labels need no people: a workload's own name,
image and command are the classes. What was learned is kept as XGBoost's own JSON, arrays and a card, never as pickle.
"""
