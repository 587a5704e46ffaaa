"""Proofs about a running cluster, made from outside by what it answers over HTTP.

`asking.py` asks page by page; `sequences.py` judges: every number of a sequence has one holder, or
a reason why it has none, and the documents hold what the sequence says, no less and no more.
"""
