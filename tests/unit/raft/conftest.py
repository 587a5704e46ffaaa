"""Links are tested on both event loops: a node runs on uvloop where there is one."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

LINKS = ("test_link.py", "test_tls.py")


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.SelectorEventLoop
    }
    if item.path.name in LINKS:
        factories["uvloop"] = uvloop.new_event_loop
    return factories
