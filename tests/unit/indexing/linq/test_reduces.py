"""Map-reduce indexes in C# as applications write them."""

from dataclasses import dataclass

import pytest

from quoth_node.indexing.mapping import Entry
from quoth_node.indexing.refusal import DefinitionRefused
from tests.unit.indexing.definitions import Body, compiled, document, reduced


@dataclass(frozen=True, slots=True)
class Story:
    """A definition, the documents by id, and what their keys come to."""

    maps: tuple[str, ...]
    reduce: str
    documents: dict[str, Body]
    expected: list[Entry]
    group_by: tuple[str, ...]


USERS: dict[str, Body] = {
    "users/1": {"name": "Ann", "city": "Oslo", "points": 0.1, "tags": ["a", "b"]},
    "users/2": {"name": "Bob", "city": "Rome", "points": 0.2, "tags": ["b"]},
    "users/3": {"name": "Ann", "city": "Oslo", "points": 0.2},
    "users/4": {"city": "Oslo"},
}
GAMES: dict[str, Body] = {
    "items/1": {"season": 1, "queue": 7, "players": [{"id": "p1", "won": True}, {"id": "p2"}]},
    "items/2": {"season": 2, "queue": 7, "players": [{"id": "p1", "won": False}]},
    "items/3": {"season": 2, "queue": 8, "players": [{"id": "p1", "won": True}]},
}
TOWNS: dict[str, Body] = {
    "companies/1": {"Address": {"City": "Reims"}},
    "suppliers/1": {"Address": {"City": "Reims"}},
    "suppliers/2": {"Address": {"City": "Bern"}},
    "orders/1": {"ShipTo": {"City": "Reims"}, "Lines": [{"Quantity": 3}, {"Quantity": 4}]},
}
CITY = "NumberOfCompanies = {}, NumberOfSuppliers = {}, NumberOfItems = {}"

STORIES = [
    Story(
        ("from c in docs.Users select new {    c.name,     count = 1}",),
        "from result in results group result by result.name into g select new "
        "{   name = g.Key,   count = g.Sum(x => x.count) }",
        USERS,
        [{"name": "Ann", "count": 2}, {"name": "Bob", "count": 1}, {"count": 1}],
        ("name",),
    ),
    Story(
        ("docs.Users.Select(u => new { u.city, Total = u.points })",),
        "results.GroupBy(r => r.city).Select(g => new {"
        " city = g.Key, Total = Enumerable.Sum(g, x => ((decimal) x.Total)) })",
        USERS,
        [{"city": "Oslo", "Total": 0.3}, {"city": "Rome", "Total": 0.2}],
        ("city",),
    ),
    Story(
        ("from u in docs.Users select new { u.city, u.name, n = 1, sum = u.points }",),
        "from m in mapped group m by new { m.city, Who = m.name } into g "
        "let total = g.Sum(x => x.sum) where g.Key.Who != null select new {"
        " g.Key.city, name = g.Key.Who, n = g.Sum(x => (int)x.n), sum = total }",
        USERS,
        [
            {"city": "Oslo", "name": "Ann", "n": 2, "sum": 0.3},
            {"city": "Rome", "name": "Bob", "n": 1, "sum": 0.2},
        ],
        ("city", "name"),
    ),
    Story(
        ("from u in docs.Users select new { u.city, Count = 1, Sum = u.points, Average = 0.0 }",),
        "from r in results group r by r.city into g let n = g.Sum(x => x.Count) "
        "let s = g.Sum(x => x.Sum) "
        "select new { city = g.Key, Count = n, Sum = s, Average = s / n }",
        USERS,
        [
            {"city": "Oslo", "Count": 3, "Sum": 0.3, "Average": 0.1},
            {"city": "Rome", "Count": 1, "Sum": 0.2, "Average": 0.2},
        ],
        ("city",),
    ),
    Story(
        ("from u in docs.Users select new { u.city, Names = new [] { u.name }, First = u.name }",),
        "from r in results group r by r.city into g select new { city = g.Key, "
        "Names = g.SelectMany(x => x.Names).Where(x => x != null).Distinct().OrderBy(x => x), "
        "First = g.Select(x => x.First).FirstOrDefault() }",
        USERS,
        [
            {"city": "Oslo", "Names": ["Ann"], "First": "Ann"},
            {"city": "Rome", "Names": ["Bob"], "First": "Bob"},
        ],
        ("city",),
    ),
    Story(
        (
            "docs.Users.SelectMany(u => u.tags, (u, tag) => new { tag, best = u.points, "
            'worst = u.points, has = u.name == "Ann" })',
        ),
        "results.GroupBy(r => new { r.tag }).Select(g => new { tag = g.Key.tag, "
        "best = g.Max(x => x.best), worst = g.Min(x => x.worst), has = g.Any(x => x.has) })",
        USERS,
        [
            {"tag": "a", "best": 0.1, "worst": 0.1, "has": True},
            {"tag": "b", "best": 0.2, "worst": 0.1, "has": True},
        ],
        ("tag",),
    ),
    Story(
        ("from u in docs.Users select new { Field1 = 1, Field2 = u.points }",),
        'from result in results group result by "constant" into g '
        "select new { Field1 = g.Sum(x => x.Field1), Field2 = g.Sum(x => x.Field2) }",
        USERS,
        [{"Field1": 4, "Field2": 0.5}],
        (),
    ),
    Story(
        (
            "from d in docs.Items from p in d.players select new { playerId = p.id, games = 1, "
            "seasons = new []{ new { d.season, wins = p.won == true ? 1 : 0 } } }",
        ),
        "from result in results group result by new {    result.playerId} into g select new { "
        "playerId = g.Key.playerId, games = g.Sum(a => a.games), "
        "seasons = g.SelectMany(a => a.seasons).GroupBy(a => a.season).Select(a => new { "
        "season = a.Key, wins = a.Sum(b => b.wins) }) }",
        GAMES,
        [
            {
                "playerId": "p1",
                "games": 3,
                "seasons": [{"season": 1, "wins": 1}, {"season": 2, "wins": 1}],
            },
            {"playerId": "p2", "games": 1, "seasons": [{"season": 1, "wins": 0}]},
        ],
        ("playerId",),
    ),
    Story(
        (
            "docs.Companies.Select(c => new { CityName = c.Address.City, "
            f"{CITY.format(1, 0, 0)} }})",
            "docs.Suppliers.Select(s => new { CityName = s.Address.City, "
            f"{CITY.format(0, 1, 0)} }})",
            "docs.Orders.Select(o => new { CityName = o.ShipTo.City, "
            f"{CITY.format(0, 0, 'Enumerable.Sum(o.Lines, x => ((int) x.Quantity))')} }})",
        ),
        "results.GroupBy(result => result.CityName).Select(g => new { CityName = g.Key, "
        "NumberOfCompanies = Enumerable.Sum(g, x => ((int) x.NumberOfCompanies)), "
        "NumberOfSuppliers = Enumerable.Sum(g, x0 => ((int) x0.NumberOfSuppliers)), "
        "NumberOfItems = Enumerable.Sum(g, x1 => ((int) x1.NumberOfItems)) })",
        TOWNS,
        [
            {
                **{"CityName": "Reims", "NumberOfCompanies": 1, "NumberOfSuppliers": 1},
                **{"NumberOfItems": 7},
            },
            {
                **{"CityName": "Bern", "NumberOfCompanies": 0, "NumberOfSuppliers": 1},
                **{"NumberOfItems": 0},
            },
        ],
        ("CityName",),
    ),
    Story(
        ("from v in docs.Visits select new { who = v.by, date = v.at.Date, count = 1 }",),
        "from result in results group result by new { result.who, result.date } into g "
        "select new { who = g.Key.who, date = g.Key.date, count = g.Sum(x=>x.count) }",
        {
            "visits/1": {"by": "a", "at": "2024-02-29T10:00:00.0000000Z"},
            "visits/2": {"by": "a", "at": "2024-02-29T23:59:59.9999999Z"},
            "visits/3": {"by": "a", "at": "2024-03-01T00:00:00.0000000Z"},
        },
        [
            {"who": "a", "date": "2024-02-29T00:00:00.0000000Z", "count": 2},
            {"who": "a", "date": "2024-03-01T00:00:00.0000000Z", "count": 1},
        ],
        ("who", "date"),
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.reduce[:60])
def test_results_of_one_key_come_to_one(story: Story) -> None:
    mapper = compiled(*story.maps, reduce=story.reduce)
    documents = [document(name, body) for name, body in story.documents.items()]
    assert (mapper.group_by, mapper.type) == (story.group_by, "MapReduce")
    assert reduced(mapper, *documents) == story.expected


MAP = "from u in docs.Users select new { u.name, n = 1 }"


@pytest.mark.parametrize(
    ("reduce", "reason"),
    [
        (
            "from r in results group r by r.name into g select new { name = g.Key, n = g.Count() }",
            "Reduce cannot contain Count() methods in grouping.",
        ),
        (
            "results.GroupBy(r => r.name).Select(g => new { name = g.Key, "
            "n = Enumerable.Count(g) })",
            "Reduce cannot contain Count() methods in grouping.",
        ),
        (
            "from r in results group r by r.name into g select new { g.Key, n = g.Sum(x => x.n) }",
            "must return identical types. Common fields: n. Missing fields: name. "
            "Additional fields: Key.",
        ),
        ("from r in results select new { r.name, r.n }", "a reduce has to group its results"),
        (
            "from r in results group r by r.name.ToLower() into g "
            "select new { name = g.Key, n = 1 }",
            "results are grouped by their fields, nothing else",
        ),
        (
            "from r in results group r by r.city into g select new { name = g.Key, n = 1 }",
            "results are grouped by 'city', which no map gives",
        ),
        (
            "from r in results group r by r.name into g orderby g.Key "
            "select new { n = 1, name = 2 }",
            "OrderBy calls are not valid during map or reduce phase",
        ),
        (
            "from r in results group r by r.name into g select new { name = g.Key, "
            'n = LoadDocument(g.Key, "Users").n }',
            "a reduce cannot load documents",
        ),
    ],
)
def test_a_reduce_that_cannot_be_right_is_refused(reduce: str, reason: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        compiled(MAP, reduce=reduce)
    assert reason in refused.value.message
    assert (refused.value.part, refused.value.text) == ("Reduce", reduce)
