"""A data folder has one holder, one owner, and never half a record."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quoth_node.errors import BadFolder
from quoth_node.folder import NodeFolder, NodeRecord, create_folder, read_record, write_durably


def test_a_new_folder_is_made_and_remembers(tmp_path: Path) -> None:
    path = tmp_path / "cluster" / "A"
    with NodeFolder.open(path, tag="A") as folder:
        assert folder.record == NodeRecord(tag="A")
        assert (path / "node.pid").read_text() == f"{os.getpid()}\n"
        folder.save(replace(folder.record, cluster_id="c", peer_port=4000, join_url="http://a:1"))
    assert not (path / "node.pid").exists()
    with NodeFolder.open(path, tag="A") as folder:
        assert folder.record == NodeRecord(
            tag="A", cluster_id="c", peer_port=4000, join_url="http://a:1"
        )
    assert read_record(path) == folder.record


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with NodeFolder.open(tmp_path, tag="A"):
        code = (
            "from pathlib import Path; from quoth_node.folder import NodeFolder;"
            f"NodeFolder.open(Path({str(tmp_path)!r}), tag='A')"
        )
        other = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert f"is in use by process {os.getpid()}" in other.stderr
        assert (tmp_path / "node.pid").read_text() == f"{os.getpid()}\n"
    with NodeFolder.open(tmp_path, tag="A"):
        pass


def test_a_folder_of_another_node_is_left_alone(tmp_path: Path) -> None:
    NodeFolder.open(tmp_path, tag="A").close()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadFolder, match="belongs to node A, not to B"):
        NodeFolder.open(tmp_path, tag="B")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    with pytest.raises(BadFolder, match=r"not empty: it holds letters, no node\.json"):
        NodeFolder.open(tmp_path, tag="A")
    assert [entry.name for entry in tmp_path.iterdir()] == ["letters"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "A"):
        with pytest.raises(BadFolder):
            NodeFolder.open(path, tag="A")
        with pytest.raises(BadFolder, match="file"):
            create_folder(path)


WHOLE = '{"format_version": 1, "tag": "A", "cluster_id": null, "peer_port": 1, "join_url": null}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        WHOLE.replace("1,", '"1",', 1),
        WHOLE.replace('"A"', "7"),
        WHOLE.replace('"cluster_id": null', '"cluster_id": 0'),
        WHOLE.replace('"peer_port": 1', '"peer_port": true'),
        WHOLE.replace('"join_url": null', '"other": null'),
    ],
)
def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "node.json").write_text(content)
    with pytest.raises(BadFolder, match="unreadable"):
        NodeFolder.open(tmp_path, tag="A")
    assert (tmp_path / "node.json").read_text() == content


def test_a_record_of_a_newer_version_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text(WHOLE.replace("1,", "2,", 1))
    with pytest.raises(BadFolder, match="newer version"):
        NodeFolder.open(tmp_path, tag="A")


def test_a_write_that_was_cut_short_changes_nothing(tmp_path: Path) -> None:
    write_durably(tmp_path / "node.json", WHOLE.encode())
    (tmp_path / "node.json.new").write_text("{")  # as a power cut leaves it
    with NodeFolder.open(tmp_path, tag="A") as folder:
        assert folder.record.peer_port == 1
