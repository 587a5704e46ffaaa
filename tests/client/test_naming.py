"""Collections are named as the official Python client names them."""

import pytest

from quoth.entities.naming import collection_of, id_prefix_of

# What the official client's dictionary of English answers.
PLURALS = """
    Company Companies, User Users, Employee Employees, Product Products, Order Orders,
    OrderLine OrderLines, Category Categories, Person People, SalesPerson SalesPeople,
    Child Children, Address Addresses, UserAddress UserAddresses, Box Boxes, Bus Buses,
    Status Statuses, OrderStatus OrderStatuses, Class Classes, Day Days, Survey Surveys,
    Query Queries, Soliloquy Soliloquies, Leaf Leaves, Wolf Wolves, Knife Knives, Roof Roofs,
    Hero Heroes, Photo Photos, Potato Potatoes, Video Videos, Mouse Mice, Woman Women,
    Salesman Salesmen, German Germans, Sheep Sheep, Series Series, Datum Data, Index Indexes,
    Analysis Analyses, Quiz Quizzes, Church Churches, Dish Dishes, Tax Taxes, Virus Viruses,
    Gas Gases, Canvas Canvases, Info Infos, UserInfo UserInfos, Equipment Equipment,
    Users Userss, Person2 Person2s, Size Sizes, Prize Prizes, Epoch Epoches, Branch Branches,
    URL URLS, XMLNode XMLNodes, Sheriff Sheriffs, Hello_World Hello_Worlds, Invoice Invoices
"""


@pytest.mark.parametrize("pair", PLURALS.split(","), ids=str.strip)
def test_a_class_has_the_collection_of_its_plural(pair: str) -> None:
    singular, plural = pair.split()
    assert collection_of(singular) == plural


def test_ids_are_lower_case_unless_capitals_were_meant() -> None:
    assert id_prefix_of("Companies") == "companies"
    assert id_prefix_of("OrderLines") == "OrderLines"
