"""What a session does with compare-exchange values, as steps: beside the documents it reads."""

from collections.abc import Sequence
from typing import Any, TypeVar

from quoth.compare_exchange import CompareExchangeValue, TrackedValues, check_key
from quoth.errors import Misuse
from quoth.loading import Loading
from quoth.reads import GetValues, GetValuesStartingWith
from quoth.steps import Steps, ask

T = TypeVar("T")


class Values(Loading):
    """Reads values into the tracking of one session, and changes which there are."""

    def get_values(
        self, keys: Sequence[str], value_type: type[T] | None
    ) -> Steps[dict[str, CompareExchangeValue[T] | None]]:
        """Values by the keys asked for, None where a key has none."""
        values = self.tracking.values
        wanted = tuple(dict.fromkeys(keys))
        for each in wanted:
            check_key(each)
        # Again, if another task cleared meanwhile.
        while asked := values.unknown(wanted):
            found = yield from ask(GetValues(asked))
            values.seen(asked, found)
        return {each: values.get(each, value_type) for each in keys}

    def get_value(
        self, key: str, value_type: type[T] | None
    ) -> Steps[CompareExchangeValue[T] | None]:
        found = yield from self.get_values((key,), value_type)
        return found[key]

    def get_values_starting_with(
        self, wanted: GetValuesStartingWith, value_type: type[T] | None
    ) -> Steps[dict[str, CompareExchangeValue[T]]]:
        """Values by their keys; what the session knows of them already wins."""
        found = yield from ask(wanted)
        self.tracking.values.seen(tuple(each.key for each in found.values()), found)
        every = {
            each.key: self.tracking.values.get(each.key, value_type) for each in found.values()
        }
        return {key: each for key, each in every.items() if each is not None}

    def delete_value(self, item_or_key: CompareExchangeValue[Any] | str, index: int | None) -> None:
        values = self.changeable_values()
        if isinstance(item_or_key, CompareExchangeValue):
            values.delete(item_or_key.key, item_or_key.index)
        elif index is None:
            raise Misuse(f"to delete {item_or_key!r} by its key, tell the index it must have")
        else:
            values.delete(item_or_key, index)

    def changeable_values(self) -> TrackedValues:
        """The values of this session, for somebody who changes which there are."""
        self.check_not_saving()
        return self.tracking.values

    def check_cluster_wide(self) -> None:
        if not self.options.is_cluster_wide:
            how = "open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)"
            raise Misuse(f"compare-exchange values need a cluster-wide session: {how}")
