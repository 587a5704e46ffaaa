"""`python -m quoth_node.testing` and `quoth-chaos`: the command line, if what it needs is there."""

import sys


def main() -> None:
    """Run the command line; without the server's dependencies, say how to get them."""
    try:
        from quoth_node.testing.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("quoth"):
            raise
        print(
            f"quoth-chaos: {error.name} is not installed: it comes with the server, "
            "pip install 'quoth[server]'",
            file=sys.stderr,
        )
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
