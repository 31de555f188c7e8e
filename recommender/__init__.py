"""Profiles and inventory in, recommendations out, and the ways out of the house.

Law: `sizing`, `mig` and `placement` are pure (no I/O, no clock). `api`, `admission` and `adapters` answer from an
in-memory view of compacted streams: a question costs no database call. It advises; it never evicts or drains.
"""
