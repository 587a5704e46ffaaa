"""Looking past the clients: which documents does this very node give?"""

import json
from collections.abc import Iterable, Iterator, Sequence
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from scripts.demonstration.report import expect

IDS_PER_REQUEST = 50
ANSWER_SECONDS_MAX = 10.0


def missing_on(url: str, database: str, ids: Iterable[str], *, locally: bool = False) -> set[str]:
    """The ids of which the node at `url` gives no document.

    `locally`: ask for what the node has at this moment, without asking the others.
    """
    wanted, found = set(ids), set[str]()
    for page in _pages(sorted(wanted)):
        query = [("id", document_id) for document_id in page]
        found |= _ids(url, database, [*query, ("consistency", "local")] if locally else query)
    return wanted - found


def expect_everywhere(
    urls: Iterable[str], database: str, ids: Sequence[str], *, locally: bool = False
) -> None:
    """Raise Broken unless every node gives every document."""
    for url in urls:
        missing = missing_on(url, database, ids, locally=locally)
        expect(not missing, f"{url} does not have {sorted(missing)[:5]}")


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (ids[at : at + IDS_PER_REQUEST] for at in range(0, len(ids), IDS_PER_REQUEST))


def _ids(url: str, database: str, query: Sequence[tuple[str, str]]) -> set[str]:
    address = f"{url}/databases/{database}/docs?{urlencode(query)}"
    try:
        with urlopen(address, timeout=ANSWER_SECONDS_MAX) as answer:
            results = json.load(answer)["Results"]
    except HTTPError as error:
        if error.code == 404:  # one id was asked for, and there is no such document
            return set()
        raise
    return {result["@metadata"]["@id"] for result in results if result is not None}
