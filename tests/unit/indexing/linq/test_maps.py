"""Maps in C# as applications write them: the definition, a document, and its entries."""

from dataclasses import dataclass

import pytest

from quoth_node.indexing.mapping import Entry
from tests.unit.indexing.definitions import Body, compiled, document, entries

ORDER: Body = {
    "Company": "companies/1",
    "OrderedAt": "1996-07-04T00:00:00.0000000",
    "ShippedAt": "1996-07-16T10:20:30.1234567Z",
    "Freight": 32.38,
    "ShipTo": {"City": "Reims", "Country": "France"},
    "Lines": [
        {
            "Product": "products/1",
            "Name": "Tofu",
            "PricePerUnit": 0.1,
            "Quantity": 3,
            "Discount": 0,
        },
        {
            "Product": "products/2",
            "Name": "Pie",
            "PricePerUnit": 9.8,
            "Quantity": 10,
            "Discount": 0.5,
        },
    ],
}
USER: Body = {
    "name": "Ann Lee",
    "lastName": "Lee",
    "age": 7,
    "active": True,
    "nothing": None,
    "tags": ["Red", "blue", "Red"],
    "scores": {"math": 3, "art": 5},
    "from": "north",
    "friends": [{"name": "Bob", "friends": [{"name": "Cid"}]}, {"name": "Dan"}],
}


@dataclass(frozen=True, slots=True)
class Story:
    """A map, and what it makes of one document."""

    map: str
    expected: list[Entry]
    body: Body
    name: str


def order(text: str, *expected: Entry) -> Story:
    return Story(text, list(expected), ORDER, "orders/1-A")


def user(text: str, *expected: Entry) -> Story:
    return Story(text, list(expected), USER, "users/1-A")


STORIES = [
    # -- query syntax
    user("from u in docs.Users select new { u.name, u.age }", {"name": "Ann Lee", "age": 7}),
    user("from user in docs.users select new { user.name }", {"name": "Ann Lee"}),
    user("from doc in docs select new { doc.age };", {"age": 7}),
    user('from u in docs["Users"] select new { u.age }', {"age": 7}),
    user("from User u in docs.Users select new { A = u.age }", {"A": 7}),
    user("from u in docs.Other select new { u.name }"),
    user("from u in docs.Users where u.age > 5 && u.active select new { u.age }", {"age": 7}),
    user("from u in docs.Users where u.age > 7 || !u.active select new { u.age }"),
    user("from u in docs.Users where u.missing > -1 select new { u.age }"),
    user("from u in docs.Users where u.missing == null select new { u.age }", {"age": 7}),
    user(
        "from u in docs.Users let n = u.name.ToLower() select new { n, N = n.Length }",
        {"n": "ann lee", "N": 7},
    ),
    user(
        "from u in docs.Users from t in u.tags select new { u.age, Tag = t }",
        {"age": 7, "Tag": "Red"},
        {"age": 7, "Tag": "blue"},
        {"age": 7, "Tag": "Red"},
    ),
    user("from u in docs.Users from t in u.missing select new { t }"),
    user(
        "from u in docs.Users from s in u.scores where s.Value > 3 select new { s.Key, s.Value }",
        {"Key": "art", "Value": 5},
    ),
    user(
        "from u in docs.Users select new { @class = u.from, group = u.active }",
        {"class": "north", "group": True},
    ),
    user(
        'from u in docs.Users select new { T = from t in u.tags where t != "blue" select t }',
        {"T": ["Red", "Red"]},
    ),
    user(
        "from u in docs.Users select new { T = from t in u.tags group t by t.ToLower() into g "
        "orderby g.Key descending select g.Key + g.Count() }",
        {"T": ["red2", "blue1"]},
    ),
    user(
        "from u in docs.Users select new { u.name, a = u.age } into x where x.a > 1 "
        "select new { x.name }",
        {"name": "Ann Lee"},
    ),
    # -- nulls and what is missing
    user(
        "from u in docs.Users select new { u.nothing, u.missing, D = u.missing.deep.deeper }",
        {"nothing": None},
    ),
    user(
        'from u in docs.Users select new { A = u.missing ?? u.nothing ?? "none", '
        "B = u?.name?.Length, C = u.missing?.Length }",
        {"A": "none", "B": 7},
    ),
    user(
        "from u in docs.Users select new { A = u.nothing is null, B = u.name is not null, "
        "C = u.name != null ? 1 : 0 }",
        {"A": True, "B": True, "C": 1},
    ),
    user("from u in docs.Users select new { A = u.missing + 1, B = u.missing.ToLower() }", {}),
    user("from u in docs.Users select new { u.constructor, T = u.toString }", {}),
    # -- method syntax
    user("docs.Users.Select(User => new { username = User.name })", {"username": "Ann Lee"}),
    user("docs.Users.Select(u => new {\n    u.age\n})", {"age": 7}),
    user("docs.Select(d => new { d.age })", {"age": 7}),
    user("docs.Users.Where(u => u.age == 7).Select(u => new { A = u.age })", {"A": 7}),
    user("docs.Users.Where(u => u.age == 8).Select(u => new { A = u.age })"),
    user(
        "docs.Users.Select(u => new { u = u, first = u.tags.First() })"
        '.Where(this0 => this0.first == "Red")'
        ".Select(this0 => new { name = this0.u.name, first = this0.first })",
        {"name": "Ann Lee", "first": "Red"},
    ),
    user(
        "docs.Users.SelectMany(u => u.friends.Where(f => f.friends != null)"
        ".Select(f => new { f.name, u.age }))",
        {"name": "Bob", "age": 7},
    ),
    user(
        "docs.Users.SelectMany(u => u.tags.Distinct(), (u, t) => new { u.age, t })",
        {"age": 7, "t": "Red"},
        {"age": 7, "t": "blue"},
    ),
    order(
        "docs.Orders.SelectMany(order => order.Lines, (order, orderLine) => new {\n"
        "    Product = orderLine.Product, ProductName = orderLine.Name })",
        {"Product": "products/1", "ProductName": "Tofu"},
        {"Product": "products/2", "ProductName": "Pie"},
    ),
    order(
        "docs.Orders.SelectMany(order => order.Lines, (order, line) => new {\n"
        "    Total = (((decimal) line.Quantity) * line.PricePerUnit) * (1M - line.Discount) })",
        {"Total": 0.3},
        {"Total": 49},
    ),
    # -- identity and metadata
    user(
        'from u in docs.Users select new { u.Id, B = Id(u), C = u["@metadata"]["@id"] }',
        {"Id": "users/1-A", "B": "users/1-A", "C": "users/1-A"},
    ),
    user(
        "docs.Users.Select(doc => new { slug = Id(doc).ToString()"
        ".Substring(Id(doc).ToString().IndexOf('/') + 1) })",
        {"slug": "1-A"},
    ),
    user(
        "docs.Users.Select(p => new { p = p, M = this.MetadataFor(p) }).Select(this_0 => new {\n"
        '  LastModified = this_0.M.Value<DateTime>("Last-Modified"),\n'
        '  C = this_0.M["@collection"] })',
        {"LastModified": "2023-11-14T22:13:20.0000000Z", "C": "Users"},
    ),
    user(
        "docs.Users.Select(u => new { Query = this.AsJson(u.scores).Select(x => x.Value) })",
        {"Query": [3, 5]},
    ),
    user(
        "docs.Users.Select(post => new { authors = this.Recurse(post, x => x.friends)"
        ".Select(x0 => x0.name) })",
        {"authors": ["Ann Lee", "Bob", "Cid", "Dan"]},
    ),
    user(
        "from post in docs.Users from c in Recurse(post, (Func<dynamic, dynamic>)(x => x.friends))"
        ' where c.name.StartsWith("C") select new { c.name }',
        {"name": "Cid"},
    ),
    # -- numbers
    user(
        "from u in docs.Users select new { A = u.age / 2, B = u.age / 2.0, C = (decimal)u.age / 2,"
        " D = u.age % 4, E = -u.age, F = u.age * 2 - 1 }",
        {"A": 3, "B": 3.5, "C": 3.5, "D": 3, "E": -7, "F": 13},
    ),
    user(
        "from u in docs.Users select new { A = (int)3.9, B = (int)u.missing, C = (double?)null,"
        " D = (decimal?)u.age, E = (object)null, F = (string)null }",
        {"A": 3, "B": 0, "C": None, "D": 7, "E": None, "F": None},
    ),
    user(
        "from u in docs.Users select new { A = Math.Round(2.5), B = Math.Round(2.345, 2), "
        "C = Math.Max(u.age, 9), D = Math.Floor(-1.5), E = Math.Abs(-3), F = 0.1m + 0.2m }",
        {"A": 2, "B": 2.34, "C": 9, "D": -2, "E": 3, "F": 0.3},
    ),
    user(
        'from u in docs.Users select new { A = int.Parse("42"), B = Convert.ToDouble("1.5"), '
        'C = decimal.Parse("2.50"), D = u.name.ParseInt(), E = Convert.ToInt32(2.5) }',
        {"A": 42, "B": 1.5, "C": 2.5, "D": 0, "E": 2},
    ),
    user(
        "from u in docs.Users select new { A = 0xFF, B = 1_000L, C = 1e3, D = long.MaxValue, "
        "E = 9007199254740993 }",
        {"A": 255, "B": 1000, "C": 1000, "D": 2**63 - 1, "E": 2**53 + 1},
    ),
    user(
        "from u in docs.Users select new { A = (x => x) == null ? 1 : 2 }",
        {"A": 2},
    ),
    # -- texts
    user(
        'from u in docs.Users select new { A = u.name + " " + u.age + u.missing, '
        'B = $"{u.name}: {u.age:000}{{}}", C = string.Format("{0}/{1}", u.age, u.name), '
        'D = string.Join(", ", u.tags), E = "a\\t\\u0041" + @"\\""" }',
        {
            **{"A": "Ann Lee 7", "B": "Ann Lee: 007{}", "C": "7/Ann Lee"},
            **{"D": "Red, blue, Red", "E": 'a\tA\\"'},
        },
    ),
    user(
        "from u in docs.Users select new { A = u.name.ToUpper(), B = u.name.Substring(0, 3), "
        'C = u.name.StartsWith("Ann"), D = u.name.Contains("Lee"), E = u.name.IndexOf("L"), '
        'F = u.name.Replace("Ann", "Eve"), G = u.name.Split(\' \'), H = " x ".Trim() }',
        {
            **{"A": "ANN LEE", "B": "Ann", "C": True, "D": True, "E": 4, "F": "Eve Lee"},
            **{"G": ["Ann", "Lee"], "H": "x"},
        },
    ),
    user(
        "from u in docs.Users select new { A = string.IsNullOrEmpty(u.missing), "
        'B = string.IsNullOrWhiteSpace(" "), C = u.name.EndsWith("LEE", '
        "StringComparison.OrdinalIgnoreCase), D = u.name[0], E = u.tags[1], F = u.tags[9] }",
        {"A": True, "B": True, "C": True, "D": "A", "E": "blue"},
    ),
    user(
        "from u in docs.Users select new { A = u.age.ToString(), B = u.active.ToString(), "
        'C = u.age.ToString("D3"), D = (1234.5).ToString("N2"), E = "b".CompareTo("a") }',
        {"A": "7", "B": "True", "C": "007", "D": "1,234.50", "E": 1},
    ),
    # -- sequences
    user(
        "from u in docs.Users select new { A = u.tags.Count(), B = u.tags.Length, "
        'C = u.tags.Count(t => t == "Red"), D = u.tags.Any(t => t.StartsWith("b")), '
        "E = u.tags.All(t => t.Length > 3), F = u.missing.Count(), G = u.scores.Count }",
        {"A": 3, "B": 3, "C": 2, "D": True, "E": False, "F": 0, "G": 2},
    ),
    order(
        "from o in docs.Orders select new { A = o.Lines.Sum(l => l.Quantity), "
        "B = Enumerable.Sum(o.Lines, l => ((int)l.Quantity)), "
        "C = o.Lines.Max(l => l.PricePerUnit), "
        "D = o.Lines.Min(l => l.Name), E = o.Lines.Average(l => l.Quantity), "
        "F = o.Lines.Sum(l => l.PricePerUnit * l.Quantity) / o.Lines.Count(), "
        "G = o.Missing.Sum(x => x.Y), H = o.Lines.Sum(l => l.Missing) }",
        {"A": 13, "B": 13, "C": 9.8, "D": "Pie", "E": 6.5, "F": 49.15, "G": 0, "H": 0},
    ),
    order(
        "from o in docs.Orders select new { A = o.Lines.Select(l => l.Name).ToArray(), "
        "B = o.Lines.OrderByDescending(l => l.Quantity).First().Name, "
        'C = o.Lines.FirstOrDefault(l => l.Name == "No").Name, D = o.Lines.Last().Name, '
        "E = o.Lines.OrderBy(l => l.Discount).ThenBy(l => l.Name).Select(l => l.Name), "
        'F = o.Lines.Take(1).Select(l => l.Name).Concat(new[] { "x" }) }',
        {
            **{"A": ["Tofu", "Pie"], "B": "Pie", "D": "Pie"},
            **{"E": ["Tofu", "Pie"], "F": ["Tofu", "x"]},
        },
    ),
    user(
        'from u in docs.Users select new { A = u.tags.Contains("blue"), B = u.tags.Distinct(), '
        'C = u.tags.Skip(1).Reverse(), D = u.tags.Union(new string[] { "z" }), '
        'E = u.tags.Except(new [] { "Red" }), F = Enumerable.Range(1, 3).Select(i => i * i), '
        "G = u.tags.Aggregate((a, b) => a + b), H = u.tags.Select((t, i) => i) }",
        {
            **{"A": True, "B": ["Red", "blue"], "C": ["Red", "blue"]},
            **{"D": ["Red", "blue", "z"], "E": ["blue"], "F": [1, 4, 9]},
            **{"G": "RedblueRed", "H": [0, 1, 2]},
        },
    ),
    user(
        "from u in docs.Users select new { "
        "A = u.tags.GroupBy(t => t).Select(g => new { g.Key, N = g.Count() }), "
        "B = u.scores.ToDictionary(s => s.Key, s => s.Value + 1), C = u.scores.Keys, "
        'D = u.scores["math"], E = u.scores.ContainsKey("art"), '
        "F = u.friends.SelectMany(f => f.friends).Select(f => f.name) }",
        {
            "A": [{"Key": "Red", "N": 2}, {"Key": "blue", "N": 1}],
            **{"B": {"math": 4, "art": 6}, "C": ["math", "art"], "D": 3, "E": True, "F": ["Cid"]},
        },
    ),
    user(
        "from u in docs.Users select new { J = u.tags.Join(u.friends, t => t.Length, "
        "f => f.name.Length, (t, f) => t + f.name) }",
        {"J": ["RedBob", "RedDan", "RedBob", "RedDan"]},
    ),
    # -- dates
    order(
        "from o in docs.Orders select new { Y = o.OrderedAt.Year, M = o.ShippedAt.Month, "
        "D = o.ShippedAt.Day, H = o.ShippedAt.Hour, W = o.OrderedAt.DayOfWeek, "
        'T = o.ShippedAt.Date, F = o.ShippedAt.ToString("yyyy-MM-dd"), o.OrderedAt }',
        {
            **{"Y": 1996, "M": 7, "D": 16, "H": 10, "W": "Thursday"},
            **{"T": "1996-07-16T00:00:00.0000000Z", "F": "1996-07-16"},
            **{"OrderedAt": "1996-07-04T00:00:00.0000000"},
        },
    ),
    order(
        "from o in docs.Orders select new { A = (o.ShippedAt - o.OrderedAt).TotalDays > 12, "
        "B = o.OrderedAt.AddDays(30), C = o.OrderedAt.AddMonths(1).Month, "
        "D = o.OrderedAt < new DateTime(1997, 1, 1), E = ((DateTime)o.ShippedAt).Millisecond, "
        'F = $"{o.ShippedAt:MMM d}", G = o.Missing.Year, H = o.OrderedAt.DayOfYear }',
        {
            **{"A": True, "B": "1996-08-03T00:00:00.0000000", "C": 8, "D": True},
            **{"E": 123, "F": "Jul 16", "H": 186},
        },
    ),
    user(
        "from a in docs.Users select new { hours = a.friends.Select(f => new { f = f, "
        "date = new DateTime(638000000001234567) }).Select(this2 => new { this2 = this2, "
        "dateTicks = (new DateTime(this2.date.Year, this2.date.Month, this2.date.Day, "
        "this2.date.Hour, 0, 0)).Ticks }).Select(this3 => new { this3.this2.f.name, "
        "this3.this2.date, this3.dateTicks }).First() }",
        {
            "hours": {
                "name": "Bob",
                "date": "2022-09-28T22:13:20.1234567",
                "dateTicks": 637999992000000000,
            }
        },
    ),
    # -- objects
    user(
        "from u in docs.Users select new { A = new { u.age, B = new [] { 1, 2 } }, "
        'C = new List<int>(), D = new object[] { null, "x" } }',
        {"A": {"age": 7, "B": [1, 2]}, "C": [], "D": [None, "x"]},
    ),
    user(
        'from u in docs.Users select new Dictionary<string, object> { {"a", u.age}, ["b"] = 2 }',
        {"a": 7, "b": 2},
    ),
    user(
        "docs.Users.Select(u => new Result { Name = u.name, Age = u.age })",
        {"Name": "Ann Lee", "Age": 7},
    ),
    user(
        "from u in docs.Users select new { u.age, L = u.lastName.Boost(10) }",
        {"age": 7, "L": "Lee"},
    ),
    # -- made fields
    user(
        "from u in docs.Users select new { _ = u.scores.Select(s => CreateField(s.Key, s.Value)) }",
        {"math": 3, "art": 5},
    ),
    user(
        'docs.Users.Select(p => new { p.age, _ = this.CreateField("n", p.name, false, true) })',
        {"age": 7, "n": "Ann Lee"},
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.map[:60])
def test_a_document_gives_the_entries_of_its_map(story: Story) -> None:
    assert entries(compiled(story.map), document(story.name, story.body)) == story.expected


def test_there_are_many() -> None:
    assert len(STORIES) >= 55


def test_a_number_with_a_point_divides_as_such() -> None:
    mapper = compiled(
        "from u in docs.Users select new { A = u.total / u.count, B = u.count / 2, u.total, "
        'C = u.total == 7, D = $"{u.total}", E = (int)u.total / 2, F = u.total > 6 }'
    )
    (entry,) = entries(mapper, document("users/1", {"total": 7.0, "count": 2}))
    assert entry == {
        **{"A": 3.5, "B": 1, "total": 7, "C": True, "D": "7", "E": 3, "F": True},
    }


def test_decimals_end_where_they_end() -> None:
    mapper = compiled(
        "from u in docs.Users select new { A = u.n.Average(x => x), B = 0.3m / 3, C = 1m / 3, "
        "D = u.n.Sum(x => (double)x), E = u.n.Average(x => (double)x), L = u.Length }"
    )
    (entry,) = entries(mapper, document("users/1", {"n": [0.1, 0.2, None]}))
    assert entry == {
        **{"A": 0.15, "B": 0.1, "C": 1 / 3},
        **{"D": 0.1 + 0.2, "E": (0.1 + 0.2) / 2},
    }


def test_comments_and_blanks_stand_anywhere() -> None:
    mapper = compiled(
        "// all users\n/* from map('X') */ from u in docs.Users // here\n\tselect new\r\n{ u.n }"
    )
    assert entries(mapper, document("users/1", {"n": 1})) == [{"n": 1}]
    assert mapper.type == "Map"
