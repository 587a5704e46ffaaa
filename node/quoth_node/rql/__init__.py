"""RQL, the query language: text becomes a tree, or an error with a position."""
