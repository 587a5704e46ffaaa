"""Who led when, and that no term has two leaders."""

from typing import Any

from quoth_node.testing.history import Led
from quoth_node.testing.leaders import Leaders, leading


def status(tag: str, *, term: int, leader: str | None) -> dict[str, Any]:
    role = "Leader" if leader == tag else "Follower"
    return {"NodeTag": tag, "Role": role, "Leader": leader, "Term": term}


def test_the_leader_of_the_latest_term_leads() -> None:
    statuses = [status("A", term=3, leader="A"), status("B", term=4, leader="C"), None]
    assert leading(statuses) == ("C", 4)
    assert leading([None, status("A", term=9, leader=None)]) is None


def test_each_leader_of_a_term_is_noted_once_when_it_is_first_heard_of() -> None:
    leaders = Leaders()
    leaders.hear([status("B", term=1, leader="A")], at=10)
    leaders.hear([status("A", term=1, leader="A"), None], at=20)
    leaders.hear([status("A", term=1, leader="A"), status("B", term=2, leader="B")], at=30)
    assert leaders.led == [Led(leader="A", term=1, at=10), Led(leader="B", term=2, at=30)]
    assert leaders.violations == [], "a leader of an older term has not heard yet, that is all"


def test_two_leaders_of_one_term_are_a_violation_however_far_apart_they_are_seen() -> None:
    leaders = Leaders()
    leaders.hear([status("A", term=7, leader="A")], at=10)
    leaders.hear([status("B", term=7, leader="B")], at=9_000_000)
    assert [str(one) for one in leaders.violations] == [
        "split-brain on term 7: A and B both led term 7"
    ]


def test_what_others_said_before_does_not_hide_a_second_leader() -> None:
    leaders = Leaders()
    leaders.hear([status("A", term=7, leader="A")], at=10)
    leaders.hear([status("C", term=7, leader="B")], at=20)  # B itself does not answer yet
    for at in (30, 40):
        leaders.hear([status("B", term=7, leader="B")], at=at)
    assert [str(one) for one in leaders.violations] == [
        "split-brain on term 7: A and B both led term 7"
    ]
