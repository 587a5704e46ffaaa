"""The library that records: compiled by the machine's C compiler, preloaded into nodes."""

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

SOURCE = "interposer.c"
COMPILERS = ("cc", "gcc", "clang")
OPTIONS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra")
LIBRARIES = ("-ldl", "-lpthread")
COMPILE_SECONDS_MAX = 120.0


def why_not() -> str | None:
    """Why the layer cannot be had here; None if it can."""
    if sys.platform != "linux":
        return "calls of libc can be recorded on Linux only"
    if compiler() is None:
        return f"there is no C compiler ({', '.join(COMPILERS)}) to build the layer that records"
    return None


def compiler() -> str | None:
    """The first C compiler on the path."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def build(folder: Path) -> Path:
    """Compile the layer into `folder`; the library. Raises OSError with the compiler's words."""
    found = compiler()
    assert found is not None, "asked before"
    target = folder / "interposer.so"
    source = files(__package__).joinpath(SOURCE).read_text(encoding="utf-8")
    (folder / SOURCE).write_text(source, encoding="utf-8")
    done = subprocess.run(
        [
            found,
            "-shared",
            "-fPIC",
            "-O2",
            "-o",
            str(target),
            str(folder / SOURCE),
            "-ldl",
            "-lpthread",
        ],
        capture_output=True,
        text=True,
        timeout=COMPILE_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(f"{found} cannot compile {SOURCE}: {done.stderr.strip()}")
    return target
