"""Promises: what a table keeps when it crosses a border (raw, features, scores, marts).

One file per border, one function per table. A promise is plain data; only `expectations.gate` turns
promises into Great Expectations and runs them, so importing a border costs nothing.
"""
