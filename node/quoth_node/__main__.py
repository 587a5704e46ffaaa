"""`python -m quoth_node` and `quoth`: the command line, if what it needs is installed."""

import sys


def main() -> None:
    """Run the command line; without the server's dependencies, say how to get them."""
    try:
        from quoth_node.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("quoth"):
            raise
        print(
            f"quoth: {error.name} is not installed: the command line comes with the server, "
            "pip install 'quoth[server]'",
            file=sys.stderr,
        )
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
