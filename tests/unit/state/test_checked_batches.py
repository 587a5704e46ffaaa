"""Batches that rest on what was read: carried out while it is so, refused whole once it is not."""

from quoth_cluster.commands import (
    ChangeCompareExchange,
    CheckCompareExchange,
    CheckDocument,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
    SaveCheckedBatch,
)
from quoth_cluster.outcomes import BatchSaved, CompareExchangeAnswer, Refusal, Refused
from tests.unit.state.story import AT, DATABASE_ID, Story, delete, put

FIRST = f"A:1-{DATABASE_ID}"


def save_over(
    story: Story,
    *checks: CheckDocument | CheckCompareExchange,
    commands: tuple[PutDocument | DeleteDocument, ...],
    request_id: str | None = None,
) -> object:
    """Save a batch that rests on `checks`."""
    return story.run(SaveCheckedBatch("db", AT, "A", checks, commands, request_id))


def test_a_batch_is_saved_while_everything_is_as_it_was_read(story: Story) -> None:
    story.save(put("users/1"))
    checks = (CheckDocument("USERS/1", FIRST), CheckDocument("users/none", ""))
    saved = save_over(story, *checks, commands=(put("users/1"), put("users/2")))
    assert isinstance(saved, BatchSaved) and len(saved.results) == 2
    assert story.loaded("users/1").etag == 2


def test_a_batch_over_a_changed_document_changes_nothing(story: Story) -> None:
    story.save(put("users/1"))
    story.save(put("users/1"))
    refused = save_over(story, CheckDocument("users/1", FIRST), commands=(put("users/2"),))
    assert isinstance(refused, Refused) and refused.refusal == Refusal.CHANGE_VECTOR
    assert refused.document_id == "users/1"
    assert refused.actual_change_vector == f"A:2-{DATABASE_ID}"
    assert "Check was called with change vector A:1-" in refused.message
    assert story.load("users/2") is None


def test_a_batch_over_a_document_that_came_or_went_changes_nothing(story: Story) -> None:
    story.save(put("users/1"))
    came = save_over(story, CheckDocument("users/1", ""), commands=(delete("users/1"),))
    gone = save_over(story, CheckDocument("users/2", FIRST), commands=(delete("users/1"),))
    assert isinstance(came, Refused) and isinstance(gone, Refused)
    assert "does not exist" in gone.message
    assert story.load("users/1") is not None


def test_the_checks_come_before_the_commands_of_their_own_batch(story: Story) -> None:
    story.save(put("users/1"))
    commands = (put("users/1"), put("users/1"), delete("users/1"))
    assert isinstance(
        save_over(story, CheckDocument("users/1", FIRST), commands=commands), BatchSaved
    )
    assert story.load("users/1") is None


def test_a_batch_rests_on_compare_exchange_values_too(story: Story) -> None:
    key = CheckCompareExchange("limits", 0)
    assert isinstance(save_over(story, key, commands=(put("users/1"),)), BatchSaved)
    change = PutCompareExchange("limits", 0, b'{"Object":5}')
    answer = story.run(ChangeCompareExchange("db", change))
    assert isinstance(answer, CompareExchangeAnswer) and answer.successful
    refused = save_over(story, key, commands=(put("users/2"),))
    assert isinstance(refused, Refused) and "'limits' has index" in refused.message
    known = CheckCompareExchange("LIMITS", answer.index)
    assert isinstance(save_over(story, known, commands=(put("users/2"),)), BatchSaved)


def test_a_repeated_request_gets_its_first_answer_though_the_check_would_fail_now(
    story: Story,
) -> None:
    check = CheckDocument("users/1", "")
    first = save_over(story, check, commands=(put("users/1"),), request_id="one")
    assert isinstance(first, BatchSaved)
    assert save_over(story, check, commands=(put("users/1"),), request_id="one") == first
    assert story.loaded("users/1").etag == 1
