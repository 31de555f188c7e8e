"""What limits a workload, window by window.

Law: pure. Columns in, columns out; no clock, no state, no learning. Lines and ceilings stand in `models.bottleneck`.
A window without the signal that decides is INSUFFICIENT; it is never guessed from a zero.
"""
