"""Entities <-> JSON: every kind of class, every type an annotation may name.

    plain.py        what JSON is here, and its bytes
    moments.py      texts of dates, times and time spans
    mismatch.py     the error that collects the path to its place
    annotations.py  what a class says about its attributes, evaluated
    layouts.py      a class as a list of fields; one file per kind of class beside it
    reading.py      JSON -> Python, by annotations     scalars.py  unions.py  makers.py
    writing.py      Python -> JSON, by values
    origins.py      what objects were read from, so that a save drops and rewrites nothing
    naming.py       classes -> collections and ids
    registry.py     names of classes -> classes, without importing anything

The rest of the client asks `quoth.serialization`.
"""
