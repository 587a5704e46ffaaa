"""`PATCH /docs` and `PATCH /json-patch`: one document changed by a script or by RFC 6902."""

from aiohttp import hdrs, web

from quoth_cluster.outcomes import Refused
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import patches
from quoth_node.patching import (
    PatchBatch,
    PatchCommand,
    Patched,
    PatchesSaved,
    PatchStatus,
)

STATUS = {
    PatchStatus.CREATED: 201,
    PatchStatus.PATCHED: 200,
    PatchStatus.SKIPPED: 200,
    PatchStatus.NOT_MODIFIED: 304,
    PatchStatus.MISSING: 404,
}
WITHOUT_BODY = (304, 404)


async def patch_document(exchange: Exchange) -> web.Response:
    """`PATCH /docs`: run a script on one document."""
    query = exchange.query
    document_id = query.required("id")
    expected = exchange.header(hdrs.IF_MATCH)
    skips = query.boolean("skipPatchIfChangeVectorMismatch")
    is_test, debug = query.boolean("test"), query.boolean("debug")
    command = await exchange.parsed(
        lambda body: patches.read_patch_request(
            document_id, body, expected_change_vector=expected, skips_on_mismatch=skips
        )
    )
    patched = await patch_one(exchange, command, is_test=is_test, returns_debug=debug or is_test)
    status = STATUS[PatchStatus(patched.status)]
    if status in WITHOUT_BODY and not is_test:
        return reply(status=status)
    return reply(patches.patch_result(patched), status=200 if is_test else status)


async def json_patch_document(exchange: Exchange) -> web.Response:
    """`PATCH /json-patch`: apply operations to one document."""
    document_id = exchange.query.required("id")
    expected = exchange.header(hdrs.IF_MATCH)
    command = await exchange.parsed(
        lambda body: patches.read_json_patch_request(
            document_id, body, expected_change_vector=expected
        )
    )
    patched = await patch_one(exchange, command)
    if patched.status == PatchStatus.MISSING:
        return reply(status=404)
    # Unlike a script's, the official client reads no status but this one.
    return reply(patches.patch_result(patched))


async def patch_one(
    exchange: Exchange,
    command: PatchCommand,
    *,
    is_test: bool = False,
    returns_debug: bool = False,
) -> Patched:
    """What became of one document, patched by itself."""
    saved = await save_patches(
        exchange, (command,), is_test=is_test, returns_debug=returns_debug, is_alone=True
    )
    (result,) = saved.results
    assert isinstance(result, Patched), "a patch is answered by what became of its document"
    return result


async def save_patches(
    exchange: Exchange,
    commands: tuple[PatchCommand, ...],
    *,
    is_test: bool = False,
    returns_debug: bool = False,
    is_alone: bool = False,
    takings: tuple[TakeNumbers, ...] = (),
) -> PatchesSaved:
    """A single-node transaction with patches in it: all of `commands` or none."""
    database = await exchange.known_database()
    batch = PatchBatch(
        database=database.record.name,
        commands=commands,
        patience_ms=int(exchange.services.config.write_timeout_seconds * 1_000),
        request_id=exchange.request_id,
        is_test=is_test,
        returns_debug=returns_debug,
        is_alone=is_alone,
        takings=takings,
    )
    saved = await exchange.services.patches.save(batch)
    if isinstance(saved, Refused):
        raise exchange.refusal(saved)
    return saved


ROUTES = (
    Route(
        "PATCH",
        f"{DATABASE}/docs",
        patch_document,
        knows("id", "skipPatchIfChangeVectorMismatch", "debug", "test"),
    ),
    Route("PATCH", f"{DATABASE}/json-patch", json_patch_document, knows("id")),
)
