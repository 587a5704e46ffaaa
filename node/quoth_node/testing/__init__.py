"""Nodes in processes of their own, faults on demand, and verdicts on what clients saw of them.

For tests of applications that use quoth, and for those of quoth itself. Nothing of a node knows
this package; it knows the command line, and the client.
"""
