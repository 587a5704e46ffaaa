"""One story per finding of the audit of the engine: what the rule for it promises."""

from dataclasses import dataclass
from typing import Any

import pytest

from quoth_cluster.errors import Fatal
from quoth_cluster.raft import rules
from quoth_cluster.raft.entry import COMMANDS, NOOP


@dataclass
class Log:
    """A log told by the terms of its slots, from slot 1."""

    terms: list[int]
    base_index: int = 1

    @property
    def last_index(self) -> int:
        return len(self.terms)

    def term_at(self, log_index: int) -> int:
        return self.terms[log_index - 1] if 1 <= log_index <= len(self.terms) else 0


def append(prev: tuple[int, int], terms: list[int], *, commit_index: int = 0) -> dict[str, Any]:
    entries = [[bytes([COMMANDS]), prev[0] + 1 + at, term] for at, term in enumerate(terms)]
    return {
        "type": "append_entries",
        "term": 9,
        "sender_term": 9,
        "sequence": 1,
        "prevLogIdx": prev[0],
        "prevLogTerm": prev[1],
        "entries": entries,
        "commit_index": commit_index,
    }


def test_c_a_window_sent_again_takes_nothing_back() -> None:
    log = Log([0, 1, 1, 1, 1, 1])
    trimmed = rules.skip_what_matches(append((2, 1), [1, 1]), log, commit_index=0)
    assert trimmed.message["entries"] == []
    assert trimmed.message["prevLogIdx"] == 6, "the engine sees nothing behind it to cut off"
    assert trimmed.acknowledge_index == 4, "and no more is acknowledged than was compared"


def test_c_an_old_heartbeat_takes_nothing_back() -> None:
    log = Log([0, 1, 1, 1])
    trimmed = rules.skip_what_matches(append((2, 1), [], commit_index=4), log, commit_index=0)
    assert (trimmed.message["prevLogIdx"], trimmed.acknowledge_index) == (4, 2)
    assert trimmed.message["commit_index"] == 2, "slots 3 and 4 were not compared"


def test_c_only_a_true_conflict_cuts() -> None:
    log = Log([0, 1, 1, 2, 2])
    trimmed = rules.skip_what_matches(append((1, 0), [1, 1, 3]), log, commit_index=3)
    assert [entry[1:] for entry in trimmed.message["entries"]] == [[4, 3]]
    assert (trimmed.message["prevLogIdx"], trimmed.message["prevLogTerm"]) == (3, 1)
    assert trimmed.acknowledge_index == 4 and trimmed.truncate_from == 4


def test_c_a_conflict_with_what_is_committed_stops_the_node() -> None:
    log = Log([0, 1, 1, 2, 2])
    with pytest.raises(Fatal, match="slot 4 is committed"):
        rules.skip_what_matches(append((1, 0), [1, 1, 3]), log, commit_index=4)
    with pytest.raises(Fatal, match="slot 5 is committed"):
        rules.skip_what_matches(append((5, 3), [3]), log, commit_index=5)


def test_c_what_is_dropped_from_the_front_matches_by_being_committed() -> None:
    log = Log([0, 0, 0, 0, 2, 2], base_index=5)  # slots 2 to 4 are known to nobody here
    trimmed = rules.skip_what_matches(append((2, 1), [1, 1, 2, 2, 2]), log, commit_index=5)
    assert [entry[1] for entry in trimmed.message["entries"]] == [7]
    assert trimmed.acknowledge_index == 7


def test_c_a_gap_is_for_the_engine_to_refuse() -> None:
    trimmed = rules.skip_what_matches(append((5, 1), [1]), Log([0, 1]), commit_index=0)
    assert trimmed.acknowledge_index is None and trimmed.message["prevLogIdx"] == 5


def test_s1_nothing_commits_that_the_message_did_not_prove() -> None:
    assert rules.clamp_commit(100, 7) == 7
    assert rules.clamp_commit(5, 7) == 5


@pytest.mark.parametrize("field", ["serialized", "transmission"])
def test_s1_to_s4_the_snapshot_path_of_the_engine_is_closed(field: str) -> None:
    message = {**append((1, 0), []), field: None}
    assert rules.carries_snapshot(message) and not rules.is_well_formed(message)


def test_b_an_acknowledgement_of_another_reign_is_stale() -> None:
    assert rules.is_stale(1, 3) and rules.is_stale(4, 3) and not rules.is_stale(3, 3)


def test_b_a_notice_of_a_higher_term_gets_nobodys_vote() -> None:
    notice = rules.ungrantable_vote_request(5)
    assert notice["term"] == 5 and notice["last_log_term"] < 0


def test_e_while_a_leader_is_heard_no_vote_is_given() -> None:
    def ignores(heard: float | None, *, is_forced: bool = False) -> bool:
        return rules.ignores_vote_request(
            heard_seconds_ago=heard, election_timeout_min_seconds=0.6, is_forced=is_forced
        )

    assert ignores(0.1) and not ignores(0.7) and not ignores(None)
    assert not ignores(0.1, is_forced=True), "a leader that hands over wants the election"


def test_e_only_who_could_win_is_told_to_stand() -> None:
    def is_up_to_date(last_log_term: int, last_log_index: int) -> bool:
        return rules.is_up_to_date(last_log_term, last_log_index, own_term=3, own_index=7)

    assert is_up_to_date(3, 7) and is_up_to_date(3, 8)
    assert is_up_to_date(4, 1), "the later term counts, however short the log"
    assert not is_up_to_date(3, 6) and not is_up_to_date(2, 99)


def test_e_half_is_no_majority() -> None:
    assert rules.is_majority(1, others=0)
    assert not rules.is_majority(1, others=1) and rules.is_majority(2, others=1)
    assert rules.is_majority(2, others=2)
    assert not rules.is_majority(2, others=3) and rules.is_majority(3, others=3)


def test_s2_only_newer_state_takes_the_place_of_what_is_applied() -> None:
    assert rules.accepts_snapshot(8, applied_index=7)
    assert not rules.accepts_snapshot(7, applied_index=7)
    assert not rules.accepts_snapshot(6, applied_index=7)


def test_s4_a_chunk_goes_exactly_behind_what_is_here() -> None:
    assert rules.is_next_chunk(40, have=40) and rules.is_next_chunk(0, have=0)
    assert not rules.is_next_chunk(0, have=40) and not rules.is_next_chunk(80, have=40)
    assert not rules.is_next_chunk(None, have=0) and not rules.is_next_chunk(False, have=0)


def test_a_new_node_is_given_the_state_and_not_a_long_history() -> None:
    def needs(prev_index: int, match_index: int = 0, base: int = 1, commit: int = 20_000) -> bool:
        return rules.needs_state(
            prev_index,
            match_index=match_index,
            base_index=base,
            commit_index=commit,
            keep_slots=10_000,
        )

    assert needs(1), "it has nothing"
    assert not needs(1, commit=10_001), "so much is kept for those a little behind"
    assert not needs(2), "it has been there: its log may lack little of a large state"
    assert not needs(1, match_index=2), "it has been there, whatever a late answer says"
    assert needs(2, match_index=2, base=3), "no log leads there any more"
    assert not needs(3, base=3)


def test_l0_a_mismatch_is_healed_in_one_step() -> None:
    assert rules.hint_for_leader(17) == 18
    assert rules.hint_for_leader(0) == 2, "slot 1 is equal in every log"


def test_l0_of_many_refused_windows_only_the_first_counts() -> None:
    assert rules.heeds_reset(8, floor=7) and not rules.heeds_reset(7, floor=7)


def test_l0_what_a_follower_has_is_not_sent_again() -> None:
    assert rules.clamp_reset(3, match_index=9) == 10
    assert rules.clamp_reset(0, match_index=0) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"type": "apply_command"},
        {"sender_term": "9"},
        {"sender_term": True},
        {"prevLogIdx": -5},
        {"entries": [[b"", 2, 1]]},
        {"entries": [[b"\x00pickled", 2, 1]]},
        {"entries": [[b"\x02pickled", 2, 1]]},
        {"entries": [[b"\x03pickled", 2, 1]]},
        {"entries": [[bytes([NOOP]), 3, 1]]},
        {"entries": "abc"},
        {"commit_index": None},
        {"commit_index": 2**63},
    ],
)
def test_g_what_is_not_a_message_of_ours_never_reaches_the_engine(change: dict[str, Any]) -> None:
    good = append((1, 0), [1])
    assert rules.is_well_formed(good)
    assert not rules.is_well_formed({**good, **change})


def test_t1_a_slot_that_the_engine_would_split_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "COMMAND_BYTES_MAX", 10)
    whole = {**append((1, 0), []), "entries": [[bytes([NOOP]) * 10, 2, 1]]}
    split = {**whole, "entries": [[bytes([NOOP]) * 11, 2, 1]]}
    assert rules.is_well_formed(whole) and not rules.is_well_formed(split)


@pytest.mark.parametrize("field", ["reset", "success"])
def test_g_an_acknowledgement_says_yes_or_no(field: str) -> None:
    good = {"type": "next_node_idx", "sender_term": 1, "next_node_idx": 2, "sequence": 1}
    good |= {"reset": False, "success": True}
    assert rules.is_well_formed(good) and not rules.is_well_formed({**good, field: 1})
