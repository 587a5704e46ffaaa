# Made from asynchronous/__init__.py by `python -m scripts.twins`: change that one.
"""The synchronous shells, `DocumentStore` and what it hands out. They decide nothing."""
