"""`python -m quoth_node` is the command `quoth`."""

from quoth_node.cli import main

main()
