"""What the client takes for granted about documents, nodes and time: one value per store.

It may be changed until the store is first used; from then on it is frozen, because sessions that
disagree about names or ids would write documents nobody finds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quoth.errors import Misuse
from quoth.naming import collection_of
from quoth.options import LoadBalanceBehavior, ReadBalanceBehavior
from quoth.serialization import METADATA, JsonObject

ShouldIgnore = Callable[[Any, Any, str], bool]


class ShouldIgnoreEntityChanges(ABC):
    """Decides at save time which entities a session leaves out; for people who prefer a class."""

    @abstractmethod
    def check(self, session_operations: Any, entity: Any, document_id: str) -> bool:
        """True: this save leaves the entity out."""


@dataclass
class Conventions:
    """How a store behaves, where there is a choice.

    should_ignore_entity_changes: called with (session, entity, document id) for each entity a save
        would write; True leaves it out of this save. A `ShouldIgnoreEntityChanges`, as a class or
        an instance, does as well.
    collection_names: a collection's name for classes whose plural the rules do not know.
    identity_property: the attribute that holds an entity's id; it is not written to the document.
    request_timeout_seconds: how long one request may take; waiting for replication is added to it.
    failover_seconds: how long a request that no node would take is offered again.
    node_retry_seconds: how long a node that failed is tried last, before it is asked, beside the
        requests, whether it is well again.
    read_balance_behavior: which node reads go to.
    load_balance_behavior: whether sessions of one context keep to one node.
    load_balancer_per_session_context_selector: called with the name of a database when a session is
        opened; its answer is the context of the session, such as a tenant.
    load_balancer_context_seed: another number spreads contexts in another way.
    shares_requests: sessions that load or save at the same moment do so in one request.
    cache_bytes_max: how much of answers to loads is kept, so that a node need not send again what
        has not changed; 0 is nothing. The node is asked all the same: it pays for large documents
        on a slow network only. Loads that may be answered so do not share requests.
    use_gzip: long bodies of requests are compressed, which pays on a slow network only.
    max_number_of_requests_per_session: more is refused, as a loop that loads one by one would make
        them; each session can be told another limit.
    """

    should_ignore_entity_changes: (
        ShouldIgnore | ShouldIgnoreEntityChanges | type[ShouldIgnoreEntityChanges] | None
    ) = None
    collection_names: Mapping[type, str] = field(default_factory=dict)
    identity_property: str = "Id"
    request_timeout_seconds: float = 30.0
    failover_seconds: float = 15.0
    node_retry_seconds: float = 5.0
    read_balance_behavior: ReadBalanceBehavior = ReadBalanceBehavior.NONE
    load_balance_behavior: LoadBalanceBehavior = LoadBalanceBehavior.NONE
    load_balancer_per_session_context_selector: Callable[[str], str | None] | None = None
    load_balancer_context_seed: int = 0
    shares_requests: bool = True
    cache_bytes_max: int = 0
    use_gzip: bool = False
    max_number_of_requests_per_session: int = 30
    is_frozen: bool = field(default=False, init=False, repr=False)

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "is_frozen", False):
            raise Misuse(f"conventions.{name} must be set before the store is first used")
        object.__setattr__(self, name, value)

    def freeze(self) -> None:
        """From now on nothing changes."""
        object.__setattr__(self, "is_frozen", True)

    def collection_of(self, entity_type: type) -> str:
        """The collection of a class: `Company` -> `Companies`."""
        return self.collection_names.get(entity_type) or collection_of(entity_type.__name__)

    def new_metadata(self, entity: object, document_id: str) -> JsonObject:
        """The metadata of a document that is to be made of an entity."""
        kind = type(entity)
        metadata: JsonObject = {}
        if isinstance(entity, dict):
            metadata.update(entity.get(METADATA, {}))
            collection = document_id.rstrip("|").partition("/")[0]
        else:
            collection = self.collection_of(kind)
        metadata.setdefault("@collection", collection)
        # The official Python client finds the class by this name.
        metadata.setdefault("Raven-Python-Type", f"{kind.__module__}.{kind.__name__}")
        return metadata

    def ignores(self, session: object, entity: object, document_id: str) -> bool:
        """Whether this save leaves the entity out."""
        rule = self.should_ignore_entity_changes
        if rule is None:
            return False
        if isinstance(rule, type):
            rule = rule()
        if isinstance(rule, ShouldIgnoreEntityChanges):
            return rule.check(session, entity, document_id)
        return rule(session, entity, document_id)
