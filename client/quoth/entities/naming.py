"""From the name of a class to the name of its collection: `Company` -> `Companies`.

The names must be those the official Python client finds, because both clients share the documents.
That client uses a large dictionary of English; here are the rules of it that class names meet.
A class with a rarer plural is named through `Conventions.collection_names`.
"""

import re
from functools import cache

_IRREGULAR = {
    "alumnus": "alumni",
    "analysis": "analyses",
    "axis": "axes",
    "cafe": "cafes",
    "child": "children",
    "criterion": "criteria",
    "datum": "data",
    "epoch": "epoches",
    "foot": "feet",
    "genus": "genera",
    "goose": "geese",
    "iris": "irises",
    "lens": "lenses",
    "money": "monies",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "phenomenon": "phenomena",
    "quiz": "quizzes",
    "safe": "safes",
    "stomach": "stomachs",
    "tooth": "teeth",
    "woman": "women",
}
_UNCHANGED = frozenset(
    "aircraft chassis corps deer equipment fish gallows headquarters information moose news "
    "offspring scissors series sheep species trousers".split()
)
# Words that end like `man` and are not about men.
_NO_MEN = ("german", "human", "roman", "shaman", "talisman", "ottoman")
_PLAIN_O = frozenset(
    "auto avocado casino combo demo dynamo embryo euro inferno info kilo kimono logo macro memo "
    "micro photo piano pro promo repo silo solo tempo turbo typo zero".split()
)
_LAST_WORD = re.compile(r"[A-Z]?[^A-Z]*$|[A-Z]+$")


@cache
def collection_of(class_name: str) -> str:
    """The plural of the last word of a CamelCase name; the words before it stay.

    >>> collection_of("SalesPerson")
    'SalesPeople'
    """
    found = _LAST_WORD.search(class_name)
    start = found.start() if found else 0
    before, word = class_name[:start], class_name[start:]
    plural = _plural(word.lower())
    # The stem keeps the capitals it was written with.
    same = 0
    while same < min(len(word), len(plural)) and word[same].lower() == plural[same]:
        same += 1
    ending = plural[same:]
    if same == 0 and word[:1].isupper():
        ending = ending.capitalize()
    return before + word[:same] + (ending.upper() if word.isupper() else ending)


def id_prefix_of(collection: str) -> str:
    """What the ids of a collection begin with: lower-case, unless several capitals were meant.

    >>> id_prefix_of("Companies"), id_prefix_of("OrderLines")
    ('companies', 'OrderLines')
    """
    return collection.lower() if sum(map(str.isupper, collection)) <= 1 else collection


def _plural(word: str) -> str:
    if word in _UNCHANGED:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("man") and not word.endswith(_NO_MEN):
        return word[:-3] + "men"
    if word.endswith("sis"):
        return word[:-2] + "es"
    if word.endswith(("ss", "us", "as", "ies", "x", "sh", "ch")):
        return word + "es"
    if word.endswith("z"):
        return word + "es"
    if word.endswith("quy") or re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    if re.search(r"([aeo]l|[dhln]ea|loa|ar)f$", word):
        return word[:-1] + "ves"
    if word.endswith(("wife", "life", "knife")):
        return word[:-2] + "ves"
    if re.search(r"[^aeiou]o$", word) and word not in _PLAIN_O:
        return word + "es"
    return word + "s"
