"""What befalls packets, in the words of tc."""

import pytest

from quoth_node.testing.network import CannotFault
from quoth_node.testing.traffic import Traffic, lines


def test_traffic_without_faults_needs_no_netem() -> None:
    assert Traffic().netem() is None
    assert Traffic(kilobits_per_second=64).netem() is None


def test_faults_of_a_direction_add_up() -> None:
    traffic = Traffic(
        delay_milliseconds=50,
        jitter_milliseconds=7.5,
        lost_percent=1,
        doubled_percent=2,
        hurried_percent=25,
    )
    assert traffic.netem() == (
        "netem limit 10000 delay 50ms 7.5ms loss 1% duplicate 2% reorder 25%"
    )


def test_only_named_sources_are_put_into_classes() -> None:
    slow_and_lossy = Traffic(lost_percent=5, kilobits_per_second=64)
    assert lines("to-C", {"10.64.1.2": (1, Traffic()), "10.64.27.2": (27, slow_and_lossy)}) == [
        "qdisc add dev to-C root handle 1: htb",
        "class add dev to-C parent 1: classid 1:1 htb rate 10gbit quantum 60000",
        "filter add dev to-C parent 1: protocol ip prio 1 u32 match ip src 10.64.1.2/32 flowid 1:1",
        "class add dev to-C parent 1: classid 1:1b htb rate 64kbit quantum 60000",
        "qdisc add dev to-C parent 1:1b handle 101b: netem limit 10000 loss 5%",
        "filter add dev to-C parent 1: protocol ip prio 1 "
        "u32 match ip src 10.64.27.2/32 flowid 1:1b",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost_percent": 101},
        {"doubled_percent": -1},
        {"hurried_percent": 200},
        {"delay_milliseconds": -1},
        {"jitter_milliseconds": -0.5},
        {"jitter_milliseconds": 6, "delay_milliseconds": 5},
        {"kilobits_per_second": 0},
    ],
    ids=lambda wrong: " ".join(f"{name}={value}" for name, value in wrong.items()),
)
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(CannotFault):
        Traffic(**wrong)
