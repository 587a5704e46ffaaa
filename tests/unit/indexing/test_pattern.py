"""Regular expressions are refused in words."""

import pytest

from quoth_node.indexing.pattern import PatternRefused, compiled


def test_a_text_that_is_no_pattern_is_refused_in_words() -> None:
    with pytest.raises(PatternRefused) as refused:
        compiled("(")
    assert str(refused.value) == "missing ): ("
