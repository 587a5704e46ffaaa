"""`python -m scripts.bench NAME ...`: run one of the measurements, as `client` or `http`."""

import runpy
import sys
from pathlib import Path

ROOM = Path(__file__).parent


def main() -> None:
    names = [each.stem for each in sorted(ROOM.glob("*.py")) if "def main(" in each.read_text()]
    names.remove("__main__")
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(f"name a measurement: {', '.join(names)}")
    del sys.argv[0]
    runpy.run_module(f"scripts.bench.{sys.argv[0]}", run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
