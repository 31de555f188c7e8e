"""Telemetry in, profiles out: sketches, windows, shapes.

Law: keeps no raw samples and knows no client of anything. Every update is pure: arrays and times in, arrays out.
State and input offset are committed together, and a message is the unit of work, so that a profile does not
depend on how messages were grouped, on who was killed or when.
"""
