"""The checks of histories see what they are there to see."""

from tests.cluster.history import Created, Taken, created_twice, given_backwards, given_twice


def test_a_number_given_twice_is_seen() -> None:
    taken = [Taken(1, 0, 1), Taken(2, 1, 2), Taken(1, 2, 3)]
    assert given_twice(taken) == [1]


def test_a_number_lower_than_one_told_before_is_seen() -> None:
    early, late = Taken(5, 0, 1), Taken(4, 2, 3)
    assert given_backwards([late, early]) == [(early, late)]


def test_questions_at_the_same_time_may_be_answered_in_any_order() -> None:
    assert given_backwards([Taken(5, 0, 2), Taken(4, 1, 3)]) == []


def test_a_key_created_twice_is_seen() -> None:
    assert created_twice([Created("a", "1"), Created("b", "1"), Created("a", "2")]) == ["a"]
