"""Measurements on real data and against peers. `python -m bench` lists them.

Law: each prints a table with the peers' rows in it, from the same run on the same data, and can write its figures as
JSON. Two things are compared by ratio, in turn, on one machine. A data set that is missing ends it with exit code 2.
"""
