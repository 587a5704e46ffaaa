"""The replicated log. It carries bytes and knows nothing of documents."""
