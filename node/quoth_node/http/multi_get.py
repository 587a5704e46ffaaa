"""`POST /multi_get`: several reads in one request, each served as if it had come by itself.

All of them see what the multi-get itself may not miss: it waits for a current read once. They are
answered one after the other, each from a snapshot of its own. Only a missing document is told in
other words than by itself: with a body.
"""

import asyncio
from dataclasses import replace

from aiohttp import web

from quoth_node.http.budget import Budget
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route
from quoth_node.http.wire import parts

ADVICE = "ask in several requests"


async def multi_get(exchange: Exchange) -> web.Response:
    """Answer all parts, in order; an error of one is told in its place."""
    asked = await exchange.parsed(parts.read)
    await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, ADVICE)
    answers: list[bytes] = []
    for part in asked:
        if exchange.request.transport is None:  # a thousand pages may be hours
            raise ConnectionError("the client went away before all its parts were answered")
        # What one part may take is what the others have left.
        left = replace(exchange, reply_bytes_max=budget.left)
        response = await exchange.serve_part(left, part)
        answers.append(budget.take(parts.answer(response)))
        await asyncio.sleep(0)  # short loads never wait by themselves, and others have to
    return reply(parts.answers(answers))


ROUTES = (Route("POST", f"{DATABASE}/multi_get", multi_get, alone=True),)
