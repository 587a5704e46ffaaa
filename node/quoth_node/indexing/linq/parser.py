"""C# text to a tree; the one file here that knows lark."""

from functools import cache
from pathlib import Path

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from quoth_node.indexing.linq.building import Building
from quoth_node.indexing.linq.disambiguation import Disambiguation
from quoth_node.indexing.linq.tree import Expression, Place, deepest
from quoth_node.indexing.refusal import DefinitionRefused

CHARACTERS_MAX = 256 * 1_024
DEPTH_MAX = 100  # of the tree
HOLES_DEPTH_MAX = 4  # strings in holes of strings

GRAMMAR = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
MISSING_NEW = (
    "Indexing function must return an anonymous object or Dictionary<string, object>. "
    "Did you forget to add 'new' in last select clause?"
)


def parse(text: str) -> Expression:
    """The expression that a map or a reduce is: `parse("from u in docs.Users select ...")`.

    Raises DefinitionRefused.
    """
    if len(text) > CHARACTERS_MAX:
        raise DefinitionRefused(f"a definition has {CHARACTERS_MAX} characters at most")
    tree = _parse(text, Place(1, 1), holes=0)
    too_deep = deepest(tree, DEPTH_MAX)
    if too_deep is not None:
        at = too_deep.at
        message = f"the definition is nested more than {DEPTH_MAX} levels deep"
        raise DefinitionRefused(message, at.line, at.column)
    return tree


def _parse(text: str, start: Place, *, holes: int) -> Expression:
    if holes > HOLES_DEPTH_MAX:
        raise DefinitionRefused("too many strings in strings", start.line, start.column)
    try:
        tree: Expression = _parser(holes).parse(text)  # type: ignore[assignment]
    except VisitError as error:
        if isinstance(error.orig_exc, DefinitionRefused):
            raise _moved(error.orig_exc, start) from error
        raise
    except DefinitionRefused as error:
        raise _moved(error, start) from error
    except UnexpectedInput as error:
        raise _moved(_refusal(error, text), start) from error
    return tree


@cache
def _parser(holes: int) -> Lark:
    building = Building(lambda text, at: _parse(text, at, holes=holes + 1))
    return Lark(
        GRAMMAR,
        parser="lalr",
        lexer="basic",
        postlex=Disambiguation(),
        transformer=building,
        maybe_placeholders=False,
    )


def _refusal(error: UnexpectedInput, text: str) -> DefinitionRefused:
    if isinstance(error, UnexpectedCharacters):
        found = f"unexpected '{text[error.pos_in_stream or 0]}'"
        return DefinitionRefused(found, error.line, error.column)
    if not isinstance(error, UnexpectedToken) or error.token.type == "$END":
        line = text.count("\n") + 1
        return DefinitionRefused("the definition ends too early", line, _last_column(text))
    is_query = text.lstrip().startswith("from") and error.token.type == "NAME"
    # What the official server says, too, when a select has no object.
    message = MISSING_NEW if is_query and "new" not in text else f"unexpected '{error.token.value}'"
    return DefinitionRefused(message, error.line, error.column)


def _last_column(text: str) -> int:
    return len(text) - (text.rfind("\n") + 1) + 1


def _moved(error: DefinitionRefused, start: Place) -> DefinitionRefused:
    """The same error, of a text that begins at `start`."""
    line = start.line + error.line - 1
    column = error.column + (start.column - 1 if error.line == 1 else 0)
    return DefinitionRefused(error.message, line, column)
