"""What became of a proposal is told truly, and told as unknown where it is not known."""

import pytest

from quoth_cluster.clock import SeededChance
from quoth_cluster.errors import Busy, FateUnknown, NotProposed
from quoth_cluster.raft import proposals as room
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, Proposal, pack_commands
from quoth_cluster.raft.proposals import PROPOSED_BYTES_MAX, Proposals


@pytest.fixture
async def proposals() -> Proposals:
    refused: list[tuple[str, bytes, str]] = []
    made = Proposals("A", chance=SeededChance(1), refuse=lambda *told: refused.append(told))
    made.refused = refused  # type: ignore[attr-defined]
    return made


async def test_the_id_that_comes_by_is_answered(proposals: Proposals) -> None:
    proposal_id, future = proposals.expect(term=3)
    proposals.on_applied([b"another", proposal_id], [Applied(7, 1, "no"), Applied(7, 2, "yes")])
    assert (await future).outcome == "yes"


async def test_a_later_term_settles_what_did_not_come_by(proposals: Proposals) -> None:
    _, earlier = proposals.expect(term=3)
    _, same = proposals.expect(term=4)
    proposals.on_term_applied(4)
    with pytest.raises(NotProposed):
        await earlier
    assert not same.done(), "it may still come by in its own term"


async def test_what_a_snapshot_may_hold_is_unknown(proposals: Proposals) -> None:
    """Told as not proposed, it would be proposed again, and applied twice."""
    _, earlier = proposals.expect(term=3)
    _, same = proposals.expect(term=4)
    _, later = proposals.expect(term=5)
    proposals.on_snapshot(4)
    proposals.on_term_applied(4)
    for future in (earlier, same):
        with pytest.raises(FateUnknown):
            await future
    assert not later.done()


async def test_a_batch_takes_what_fits_and_turns_old_terms_away(
    proposals: Proposals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ENTRY_BYTES_SOFT_MAX", 10)
    proposals.enqueue(Proposal(b"1", b"x" * 6), origin="B", term=2)
    for name in (b"2", b"3"):
        proposals.enqueue(Proposal(name, b"x" * 6), origin="A", term=3)
    assert [one.proposal_id for one in proposals.next_batch(3)] == [b"2"]
    assert [one.proposal_id for one in proposals.next_batch(3)] == [b"3"]
    assert [told[:2] for told in proposals.refused] == [("B", b"1")]  # type: ignore[attr-defined]


async def test_there_is_a_limit_to_what_waits(
    proposals: Proposals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAITING_MAX", 1)
    proposals.enqueue(Proposal(b"1", b"x"), origin="A", term=1)
    with pytest.raises(Busy):
        proposals.enqueue(Proposal(b"2", b"x"), origin="A", term=1)
    assert proposals.withdraw(b"1") and not proposals.withdraw(b"1")


async def test_the_largest_command_fits_a_slot_and_a_larger_one_is_not_taken(
    proposals: Proposals,
) -> None:
    """One within 28 bytes of the limit of slots once ended the leader, and then the next."""
    proposal_id, _ = proposals.expect(term=1)
    largest = Proposal(proposal_id, bytes(PROPOSED_BYTES_MAX))
    assert len(pack_commands([largest])) <= COMMAND_BYTES_MAX
    proposals.enqueue(largest, origin="B", term=1)
    larger = Proposal(proposal_id, bytes(PROPOSED_BYTES_MAX + 1))
    with pytest.raises(NotProposed, match="are allowed"):
        proposals.enqueue(larger, origin="B", term=1)
    assert len(proposals) == 1
