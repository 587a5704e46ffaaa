"""A PostgreSQL of the tests' own: on loopback, in a folder that goes, run by whom it likes."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.local_cluster import free_ports, wait_for

START_SECONDS_MAX = 30.0


def programs() -> Path | None:
    """The folder with its programs, the newest that is installed; None if none is."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parts[4])
    on_path = [Path(each) for each in os.get_exec_path()]
    for folder in (*reversed(installed), *on_path):
        if all((folder / name).is_file() for name in ("initdb", "postgres", "pg_isready")):
            return folder
    return None


def missing() -> str | None:
    """Why it cannot be run here; None if it can."""
    if programs() is None:
        return "PostgreSQL is not installed (on Debian: apt install postgresql)"
    if os.geteuid() == 0 and _person() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """Start it; the settings by which Django finds it.

    Its folder is not pytest's, which is closed to the user that runs it.
    """
    with TemporaryDirectory(prefix="postgresql-") as folder:
        with _running_in(Path(folder)) as settings:
            yield settings


@contextmanager
def _running_in(folder: Path) -> Iterator[dict[str, Any]]:
    bin_folder, person = programs(), _person()
    assert bin_folder is not None, "asked before"
    if person is not None:
        os.chown(folder, person.pw_uid, person.pw_gid)
    account: dict[str, Any] = {} if person is None else {"user": person.pw_uid, "cwd": "/"}
    data = folder / "data"
    subprocess.run(
        [bin_folder / "initdb", "-D", data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync",
         "--no-locale"],
        check=True, capture_output=True, **account,
    )  # fmt: skip
    port = free_ports(1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [bin_folder / "postgres", "-D", data, "-p", str(port), "-c", "fsync=off",
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account,
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(bin_folder, port, process), START_SECONDS_MAX, "no PostgreSQL")
        yield {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "shop",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _person() -> pwd.struct_passwd | None:
    """Who runs it: root must not."""
    if os.geteuid() != 0:
        return None
    return next((each for each in pwd.getpwall() if each.pw_name == "postgres"), None)


def _answers(bin_folder: Path, port: int, process: "subprocess.Popen[bytes]") -> bool | None:
    if process.poll() is not None:
        raise RuntimeError(f"PostgreSQL ended by itself with {process.returncode}")
    asked = [str(bin_folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked).returncode == 0 or None
