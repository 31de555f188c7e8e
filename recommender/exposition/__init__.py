"""The fleet on /metrics: the newest snapshot as series, bounded in number, built by columns in the background.

It reads the view and nothing else. A request takes bytes that are ready.
"""
