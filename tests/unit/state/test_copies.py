"""The whole state can be copied while it changes, and take the place of another."""

from pathlib import Path

import pytest

from quoth_cluster import documents
from quoth_cluster.machine import Machine
from quoth_cluster.state_copy import replace_state
from quoth_cluster.store.environment import Closed
from quoth_cluster.store.keys import POSITION
from tests.unit.state.story import MAP_BYTES, Story, create, dump, put


def filled(folder: Path) -> Story:
    story = Story(folder)
    story.run(create("other"))
    for number in range(30):
        story.save(put(f"users/{number}"))
    return story


def test_a_copy_is_what_was_there_when_it_was_frozen(tmp_path: Path) -> None:
    story = filled(tmp_path / "state")
    before = dump(story.machine)
    frozen = story.machine.freeze()
    story.save(put("users/late"))
    files = frozen.copy_to(tmp_path / "copy")
    frozen.release()
    story.save(put("users/later"))
    assert len(files) == 3 and all((tmp_path / "copy" / file).is_file() for file in files)
    copied = Machine.open(tmp_path / "copy", map_bytes=MAP_BYTES)
    assert copied.position == frozen.position, "nothing that it holds is replayed over it"
    assert without_position(dump(copied)) == without_position(before)
    copied.close()
    story.machine.close()


def without_position(dumped: dict[str, dict[bytes, bytes]]) -> dict[str, dict[bytes, bytes]]:
    return {
        name: {key: value for key, value in rows.items() if key != POSITION}
        for name, rows in dumped.items()
    }


def test_an_installed_copy_goes_on_where_it_was_taken(tmp_path: Path) -> None:
    ahead = filled(tmp_path / "ahead")
    frozen = ahead.machine.freeze()
    frozen.copy_to(tmp_path / "copy")
    frozen.release()
    behind = Story(tmp_path / "behind")
    former = behind.machine.database("db")
    assert former is not None
    behind.machine.install(tmp_path / "copy")
    with pytest.raises(Closed), former.read():
        pass
    assert behind.machine.position == ahead.machine.applied
    assert not (tmp_path / "copy").exists() and not (tmp_path / "behind.old").exists()
    entry = ahead.entry(create("later"))
    for machine in (ahead.machine, behind.machine):
        machine.apply([entry])
    assert dump(ahead.machine) == dump(behind.machine)
    for story in (ahead, behind):
        story.machine.close()


def test_an_install_waits_for_nobody_who_reads(tmp_path: Path) -> None:
    """A node must not be away from its cluster for as long as somebody streams documents."""
    ahead = filled(tmp_path / "ahead")
    frozen = ahead.machine.freeze()
    frozen.copy_to(tmp_path / "copy")
    frozen.release()
    behind = Story(tmp_path / "behind")
    behind.save(put("users/old"))
    former = behind.machine.database("db")
    assert former is not None
    with former.read() as txn:
        behind.machine.install(tmp_path / "copy")
        old = documents.load(txn, "users/old")
        assert old is not None, "it goes on with what it saw"
    now = behind.machine.database("db")
    assert now is not None
    with now.read() as txn:
        assert documents.load(txn, "users/old") is None
        assert documents.load(txn, "users/29") is not None
    for story in (ahead, behind):
        story.machine.close()


@pytest.mark.parametrize("crashed_after", ["nothing", "first rename", "second rename", "all"])
def test_an_install_that_was_cut_short_is_finished(tmp_path: Path, crashed_after: str) -> None:
    state, copy, old = tmp_path / "state", tmp_path / "copy", tmp_path / "state.old"
    for folder, content in ((state, "former"), (copy, "copied")):
        folder.mkdir()
        (folder / "data").write_text(content)
    if crashed_after != "nothing":
        state.rename(old)
    if crashed_after in ("second rename", "all"):
        copy.rename(state)
    if crashed_after == "all":
        (old / "data").unlink()
        old.rmdir()
    replace_state(state, copy)
    assert (state / "data").read_text() == "copied"
    assert not copy.exists() and not old.exists()
