"""What clients do to a cluster while it suffers, each with the invariant that must hold."""
