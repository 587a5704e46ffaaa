"""How fast static indexes map and reduce: `python -m tests.unit.indexing.measure`."""

import time

from quoth_node.indexing.mapping import Entry
from tests.unit.indexing.definitions import compiled, document

DOCUMENTS = 20_000
BODY = {
    "name": "Someone Else",
    "email": "someone@example.com",
    "tags": ["a", "b"],
    "address": {"city": "Berlin", "street": "Foo 17"},
}
MAPS = {
    "two fields, C#": "from u in docs.Users select new { u.name, u.age }",
    "two fields, JavaScript": "map('Users', u => ({ name: u.name, age: u.age }))",
    "filter, fan-out, text, member": (
        "from u in docs.Users where u.age > 10 from t in u.tags select new { u.name, "
        "T = t.ToLower(), C = u.address.city, D = u.age / 10.0 }"
    ),
    "metadata": 'from u in docs.Users select new { u.name, C = MetadataFor(u)["@collection"] }',
}
SUMS = (
    "from u in docs.Users select new { u.name, n = 1, s = u.age }",
    "from r in results group r by r.name into g "
    "select new { name = g.Key, n = g.Sum(x => x.n), s = g.Sum(x => x.s) }",
)


def main() -> None:
    """Print the figures."""
    users = [document(f"users/{at}", {**BODY, "age": at % 90}) for at in range(DOCUMENTS)]
    for name, text in MAPS.items():
        mapper = compiled(text)
        start = time.perf_counter()
        mapper.map(users, lambda name: None)
        print(f"{name}: {DOCUMENTS / (time.perf_counter() - start):,.0f} documents/s")
    mapper = compiled(SUMS[0], reduce=SUMS[1])
    for count in (1, 2, 10, 1_000):
        results: list[Entry] = [{"name": "Ann", "n": 1, "s": at * 0.1} for at in range(count)]
        rounds = max(20, 20_000 // count)
        start = time.perf_counter()
        for _ in range(rounds):
            mapper.reduce(results)
        micros = (time.perf_counter() - start) / rounds * 1e6
        print(f"a reduce of {count}: {micros:,.0f} us")
    start = time.perf_counter()
    for text in MAPS.values():
        compiled(text)
    print(f"to compile: {(time.perf_counter() - start) / len(MAPS) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
