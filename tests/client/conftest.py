"""Fixtures for tests of the client: a cluster on paper, and stores that talk to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from quoth import AsyncDocumentStore, DocumentStore
from tests.client.wire import URL, Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """One node; everything planned must have been asked for at the end."""
    wire = Wire()
    yield wire
    wire.finish()


@pytest.fixture
async def store(wire: Wire) -> AsyncIterator[AsyncDocumentStore]:
    async with AsyncDocumentStore(URL, "shop", transport=wire.transport) as store:
        yield store


@pytest.fixture
def plain_store(wire: Wire) -> Iterator[DocumentStore]:
    with DocumentStore(URL, "shop", transport=wire.transport) as store:
        yield store
