"""Keys that many clients use retire before a search for their order takes too long."""

from random import Random

from quoth_node.testing.workloads.rotation import Rotation


def test_a_key_retires_after_its_operations() -> None:
    keys = Rotation("k", live=2, operations_max=3)
    for _ in range(3):
        assert "k1" in keys.keys
        keys.count("k1")
    assert keys.keys == ["k3", "k2"] and keys.retired == ["k1"]
    keys.count("k1")  # by one who was at it
    assert keys.retired == ["k1"]


def test_a_key_retires_sooner_if_nobody_knows_what_became_of_much() -> None:
    keys = Rotation("k", live=1, operations_max=100, unknown_max=2)
    keys.count("k1", is_unknown=True)
    keys.count("k1")
    assert keys.keys == ["k1"]
    keys.count("k1", is_unknown=True)
    assert keys.keys == ["k2"]


def test_no_key_is_picked_twice_at_once() -> None:
    keys, chance = Rotation("k", live=4, operations_max=9), Random(3)
    assert all(len(set(keys.sample(chance, 3))) == 3 for _ in range(50))
    assert {keys.pick(chance) for _ in range(50)} == set(keys.keys)
