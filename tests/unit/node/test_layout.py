"""Who founds, who joins, who goes on: nobody founds a second cluster over an old one."""

from pathlib import Path

import pytest

from quoth_node.errors import BadConfig, BadFolder
from quoth_node.folder import NodeFolder, NodeRecord
from quoth_node.layout import find_records, plan_start, port_of


def member(tag: str) -> NodeRecord:
    return NodeRecord(tag=tag, cluster_id="c")


def test_at_first_one_founds_and_the_others_join() -> None:
    plan = plan_start({}, nodes=None)
    assert (plan.together, plan.one_by_one) == (("A",), ("B", "C"))
    assert plan_start({}, nodes=1).tags == ("A",)


def test_members_go_on_together_because_they_need_each_other() -> None:
    plan = plan_start({tag: member(tag) for tag in "ABC"}, nodes=None)
    assert (plan.together, plan.one_by_one) == (("A", "B", "C"), ())


def test_what_was_found_is_started_even_if_fewer_were_asked_for() -> None:
    assert plan_start({tag: member(tag) for tag in "ABC"}, nodes=1).tags == ("A", "B", "C")


def test_more_nodes_join_the_members() -> None:
    plan = plan_start({tag: member(tag) for tag in "ABC"}, nodes=5)
    assert (plan.together, plan.one_by_one) == (("A", "B", "C"), ("D", "E"))


def test_a_first_node_that_lost_its_disk_does_not_found_again() -> None:
    plan = plan_start({"B": member("B"), "C": member("C")}, nodes=3)
    assert (plan.together, plan.one_by_one) == (("B", "C"), ("A",))


def test_a_start_that_was_cut_short_is_done_again() -> None:
    plan = plan_start({"A": member("A"), "B": NodeRecord(tag="B")}, nodes=3)
    assert (plan.together, plan.one_by_one) == (("A",), ("B", "C"))
    plan = plan_start({"A": NodeRecord(tag="A")}, nodes=3)
    assert (plan.together, plan.one_by_one) == (("A",), ("B", "C"))


def test_numbers_of_nodes_that_make_no_sense_are_refused() -> None:
    for nodes in (-1, 0, 27):
        with pytest.raises(BadConfig):
            plan_start({}, nodes=nodes)


def test_records_are_found_in_the_folders_of_nodes(tmp_path: Path) -> None:
    assert find_records(tmp_path / "nothing") == {}
    NodeFolder.open(tmp_path / "B", tag="B").close()
    (tmp_path / "C").mkdir()
    (tmp_path / "notes").mkdir()
    assert find_records(tmp_path) == {"B": NodeRecord(tag="B")}
    with pytest.raises(BadFolder, match="belongs to one node"):
        find_records(tmp_path / "B")


def test_ports_follow_the_alphabet() -> None:
    assert [port_of(tag, 8080) for tag in "ACZ"] == [8080, 8082, 8105]
