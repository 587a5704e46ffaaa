"""Queries: what a program asks for, as RQL with parameters, and what comes back. No I/O.

    draft.py            all that was asked for so far -> an IndexQuery
    filtering.py        the methods that add conditions: where_equals, search, spatial ...
    shaping.py          the other methods: order, pages, includes, what to be told
    running.py          steps of a session: from an IndexQuery to entities

The shells in `asynchronous/query.py` add the terminals, which only carry.
"""
