"""A PostgreSQL for the time of a test or a benchmark: in a folder that goes, without a port."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.local_cluster import wait_for

START_SECONDS_MAX = 60.0


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
def running(*, is_durable: bool = False, connections_max: int = 100) -> Iterator[dict[str, Any]]:
    """Start it; the settings by which Django finds it: a socket in its folder, no port.

    The folder is not pytest's, which is closed to the user that runs it. `is_durable`: it waits for
    the disk, as one in use does.
    """
    with TemporaryDirectory(prefix="postgresql-") as folder:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": folder,
            "fsync": "on" if is_durable else "off",
            "max_connections": str(connections_max),
        }
        with _running_in(Path(folder), options):
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": "shop",
                "HOST": folder,
            }


@contextmanager
def _running_in(folder: Path, options: dict[str, str]) -> Iterator[None]:
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
    told = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [bin_folder / "postgres", "-D", data, *told],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account,
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(bin_folder, folder, process), START_SECONDS_MAX, "no PostgreSQL")
        yield
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _person() -> pwd.struct_passwd | None:
    """Who runs it: root must not."""
    if os.geteuid() != 0:
        return None
    return next((each for each in pwd.getpwall() if each.pw_name == "postgres"), None)


def _answers(bin_folder: Path, folder: Path, process: "subprocess.Popen[bytes]") -> bool | None:
    if process.poll() is not None:
        said = (folder / "log").read_text(errors="replace")[-1_000:]
        raise RuntimeError(f"PostgreSQL ended by itself with {process.returncode}: {said}")
    asked = [str(bin_folder / "pg_isready"), "-q", "-h", str(folder)]
    return subprocess.run(asked).returncode == 0 or None
