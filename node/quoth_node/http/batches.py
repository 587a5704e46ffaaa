"""`POST /quoth/batches`: several saves in one request, each by itself.

For clients with many saves at the same moment: what is proposed together is written together, and
the way here and back is paid once. Each line of the body is one `bulk_docs`: its query string, a
space, and its body without line breaks. Each is a transaction of its own with a request id of its
own, answered in its place as if it had come alone; one that is refused fails no other.

They are carried out side by side, so none may count on another of the same request. The answer
comes when all are decided.
"""

import asyncio
from urllib.parse import quote

from aiohttp import web

from quoth_node.http.errors import BadRequest
from quoth_node.http.exchange import Exchange, Part
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route
from quoth_node.http.wire import parts
from quoth_node.http.wire.bodies import check_count

BATCHES_MAX = 256
TOLD = "Raven-Client-Version"  # whether the client knows of atomic guards


async def save_batches(exchange: Exchange) -> web.Response:
    """Save all of them; a status for each, in order."""
    saves = read(exchange, await exchange.body())
    answers = await asyncio.gather(*(exchange.serve_part(exchange, each) for each in saves))
    return reply(parts.answers(map(parts.answer, answers)))


def read(exchange: Exchange, body: bytearray) -> list[Part]:
    """The saves as requests. Raises BadRequest, OverLimit; nothing was written then."""
    lines = [line for line in body.split(b"\n") if line]
    if not lines:
        raise BadRequest("The body holds no batches: each is a line")
    check_count(lines, BATCHES_MAX, "batches")
    path = f"/databases/{quote(exchange.database_name or '', safe='')}/bulk_docs"
    headers = {TOLD: exchange.headers[TOLD]} if TOLD in exchange.headers else {}
    saves = []
    for number, line in enumerate(lines):
        query, blank, batch = line.partition(b" ")
        if not blank or query.startswith(b"{"):
            raise BadRequest(f"Line {number}: a query string, a space and a batch were expected")
        target = f"{path}?{query.decode('latin-1')}"
        saves.append(Part("POST", target, headers, bytes(batch), is_save=True))
    return saves


ROUTES = (Route("POST", f"{DATABASE}/quoth/batches", save_batches, alone=True),)
