"""The only place that knows JSON: `parsing` and `bodies` read what
comes in, `replies` and `records` write.

Documents and compare-exchange values pass through as bytes; they are spliced, never decoded.
"""
