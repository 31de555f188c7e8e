"""Vertical sizing replayed on real usage: sizewise beside VPA, KRR, Autopilot and the rest."""
