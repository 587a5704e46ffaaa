"""One machine for each story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.state.story import Story


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A machine with the database `db`."""
    story = Story(tmp_path / "state")
    yield story
    story.machine.close()
