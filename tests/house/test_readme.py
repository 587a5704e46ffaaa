"""The README runs: its session is executed on a cluster, its commands are the real ones.

Each `python` block is executed after the ones before it; a `text` block right after it is what it
prints. Only the port and the folder of the README are replaced.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_cluster import LocalCluster, quoth
from tests.house.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(README)
START = "quoth cluster start --nodes 3 --port 8080 --data ./cluster"


@pytest.fixture(scope="module")
def readme_cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalCluster]:
    """The cluster that the README starts, on other ports."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        with LocalCluster(folder / "cluster") as running:
            yield running


def commands() -> list[str]:
    """Every line of the shell blocks."""
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    return [line.partition("#")[0].strip() for line in lines]


def test_both_scripts_come_first() -> None:
    assert commands()[:2] == ["scripts/demo", "scripts/test"]
    assert all((ROOT / script).stat().st_mode & 0o111 for script in commands()[:2])


def test_the_cluster_is_started_as_the_readme_says(readme_cluster: LocalCluster) -> None:
    assert START in commands()
    said = [readme_cluster.port, readme_cluster.folder]
    real = ["quoth", *readme_cluster.command[len(quoth()) :]]
    assert shlex.join(real) == START.replace("8080", str(said[0])).replace(
        "./cluster", str(said[1])
    )
    urls = "http://127.0.0.1:8080 http://127.0.0.1:8081 http://127.0.0.1:8082"
    assert f"`ready {urls}`" in README


def test_the_status_command_works(readme_cluster: LocalCluster) -> None:
    assert "quoth cluster status" in commands()
    shown = subprocess.run(
        quoth("cluster", "status", "--url", readme_cluster.urls[0]), capture_output=True, check=True
    )
    assert b"Leader" in shown.stdout


def test_the_session_prints_what_the_readme_says(readme_cluster: LocalCluster) -> None:
    names: dict[str, object] = {"__name__": "readme"}
    followers = [*BLOCKS[1:], ("", "")]
    for (kind, text), (next_kind, expected) in zip(BLOCKS, followers, strict=True):
        if kind == "python":
            printed = run(text, readme_cluster, names)
            assert printed == (expected if next_kind == "text" else ""), text


def test_the_test_of_an_application_passes(tmp_path: Path) -> None:
    _, section = README.split("## Test your application against faults\n")
    (example, *_) = [text for kind, text in BLOCK.findall(section) if kind == "python"]
    (tmp_path / "test_bank.py").write_text(example, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "temp")]
    finished = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 passed" in finished.stdout


def run(text: str, cluster: LocalCluster, names: dict[str, object]) -> str:
    """What the block prints."""
    for number, url in enumerate(cluster.urls):
        text = text.replace(f"http://127.0.0.1:{8080 + number}", url)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(text, str(Path("README.md")), "exec"), names)
    return printed.getvalue()
