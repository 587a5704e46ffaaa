"""The type of an entity where a program may leave it out; then it is Any to a checker.

A default of a type variable came to Python with 3.13; checkers know it everywhere.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    E = TypeVar("E", default=Any)
else:
    from typing import TypeVar

    E = TypeVar("E")
