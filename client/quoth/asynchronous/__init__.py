"""The asynchronous shells, `AsyncDocumentStore` and what it hands out. They decide nothing."""
