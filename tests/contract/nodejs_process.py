"""The official Node.js client in a process of its own, which tells the stories of `nodejs/`.

The client is installed with `npm ci`, once per lock file, into `.venv/nodejs`, and the stories are
copied beside it, for that is where they find it. Nothing is installed in the source tree.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

from tests.house.source import ROOT

SOURCE = Path(__file__).parent / "nodejs"
INSTALLED = ROOT / ".venv" / "nodejs"
LEFT_OUT = "QUOTH_WITHOUT_NODEJS"
INSTALL_SECONDS_MAX = 300.0
STORY_SECONDS_MAX = 60.0
STORY = re.compile(r'^story\("(.+)", async', re.MULTILINE)

MISSING = (
    "`node` and `npm` are not on the PATH, and the official Node.js client is a part of the "
    f"contract. Install Node.js 20 or newer, or set {LEFT_OUT}=1 to leave these tests out."
)


def is_left_out() -> bool:
    """Whether whoever runs the tests has said to do without Node.js."""
    return os.environ.get(LEFT_OUT, "") not in ("", "0")


def told_in(file: str) -> list[str]:
    """The names of the stories in a file of `nodejs/stories`."""
    text = (SOURCE / "stories" / file).read_text(encoding="utf-8")
    return STORY.findall(text)


def install() -> Path:
    """The folder with the client and the stories.

    Raises RuntimeError if there is no Node.js, or npm fails.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise RuntimeError(MISSING)
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf-8")
    stamp = INSTALLED / "installed-lock.json"
    shutil.rmtree(INSTALLED / "stories", ignore_errors=True)  # of files that are no more
    shutil.copytree(SOURCE, INSTALLED, dirs_exist_ok=True)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != lock:
        stamp.unlink(missing_ok=True)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=INSTALLED,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
        )
        if done.returncode:
            raise RuntimeError(f"npm ci failed:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(lock, encoding="utf-8")
    return INSTALLED


class Storyteller:
    """The process; stories are told one at a time, and a new one is started if it dies."""

    def __init__(self, folder: Path, errors: Path) -> None:
        self._folder = folder
        self._errors = errors
        self._process: subprocess.Popen[str] | None = None
        self._lines: Queue[str | None] = Queue()

    def tell(
        self,
        story: str,
        *,
        urls: list[str],
        database: str,
        grant: Callable[[str], object] | None = None,
    ) -> None:
        """Return when the story has been told; `grant` does what it asks for.

        Raises AssertionError with its words, and all that it printed.
        """
        __tracebackhide__ = True  # what the story says is what is wrong
        if self._process is None or self._process.poll() is not None:
            self._start()
        printed_before = self._errors.stat().st_size
        self._say({"story": story, "urls": urls, "database": database})
        heard = self._hear()
        while heard is not None and "ask" in heard:
            assert grant is not None, f"'{story}' asks for: {heard['ask']}"
            self._say(grant(heard["ask"]))
            heard = self._hear()
        if heard is None:
            self.stop()
        failed = "its process ended, or it took too long" if heard is None else heard["failed"]
        if failed is not None:
            printed = self._errors.read_bytes()[printed_before:].decode(errors="replace")
            raise AssertionError(f"{story}: {failed}\n{printed}".rstrip())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                ["node", "runner.js"],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        assert self._process.stdout is not None, "asked for above"
        self._lines = Queue()
        Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()

    def _say(self, words: object) -> None:
        assert self._process is not None and self._process.stdin is not None, "started"
        try:
            self._process.stdin.write(f"{json.dumps(words)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it has died, and will say nothing either

    def _hear(self) -> dict[str, Any] | None:
        """What it says next; None if it ends, or says nothing in time."""
        try:
            line = self._lines.get(timeout=STORY_SECONDS_MAX)
        except Empty:
            return None
        words: dict[str, Any] | None = None if line is None else json.loads(line)
        return words


def printed_by(folder: Path, program: str) -> str:
    """What a program prints that uses the client; raises CalledProcessError if it fails."""
    path = folder / "program.js"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        ["node", path.name],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=STORY_SECONDS_MAX,
    )
    return done.stdout


@contextmanager
def storyteller(errors: Path) -> Iterator[Storyteller]:
    """A process that is there within the block."""
    teller = Storyteller(install(), errors)
    try:
        yield teller
    finally:
        teller.stop()


def _read(source: IO[str], lines: "Queue[str | None]") -> None:
    for line in source:
        lines.put(line)
    lines.put(None)
