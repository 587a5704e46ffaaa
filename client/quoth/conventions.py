"""What the client takes for granted about documents, nodes and time: one value per store.

It may be changed until the store is first used; from then on it is frozen, because sessions that
disagree about names or ids would write documents nobody finds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_origin

from quoth.entities.identity import identity_property_of
from quoth.entities.naming import collection_of, id_prefix_of
from quoth.entities.registry import TypeRegistry
from quoth.errors import Misuse
from quoth.options import LoadBalanceBehavior, ReadBalanceBehavior
from quoth.serialization import METADATA, JsonObject

PYTHON_TYPE = "Raven-Python-Type"

T = TypeVar("T")
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
    find_collection_name: called with a class; its collection, or None for the usual one.
    transform_class_collection_name_to_document_id_prefix: called with the name of a collection;
        what generated ids of its documents begin with. Usually `Companies` -> `companies`, and a
        name with several capitals as it is.
    find_identity_property_name: called with a class; the attribute that holds an entity's id, which
        is not written to the document, or None if the class has none. Usually it is
        `identity_property`; `id` for a class that has no `Id` but a string `id`.
    find_python_class_name: called with a class; the name that its documents carry as
        `Raven-Python-Type`. Usually `module.Class`.
    find_python_class: called with (document id, document); the name of the class to read it as, or
        None for the one its metadata has. The class is that `register` was told of under the name.
    document_id_generator: called with (database name, entity); the id of a new entity that brings
        none, instead of one counted off by the cluster.
    identity_property: what identity properties are called; another name than `Id` is taken as is.
    request_timeout_seconds: how long one request may take. Added to it is what a node was asked
        to wait, and for a query without an index 30 seconds, in which the node makes one.
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
    find_collection_name: Callable[[type], str | None] | None = None
    transform_class_collection_name_to_document_id_prefix: Callable[[str], str] | None = None
    find_identity_property_name: Callable[[type], str | None] | None = None
    find_python_class_name: Callable[[type], str] | None = None
    find_python_class: Callable[[str, Mapping[str, Any]], str | None] | None = None
    document_id_generator: Callable[[str, object], str] | None = None
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
    _types: TypeRegistry = field(default_factory=TypeRegistry, init=False, repr=False)

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "is_frozen", False):
            raise Misuse(f"conventions.{name} must be set before the store is first used")
        object.__setattr__(self, name, value)

    def freeze(self) -> None:
        """From now on nothing changes."""
        object.__setattr__(self, "is_frozen", True)

    def collection_of(self, entity_type: type) -> str:
        """The collection of a class: `Company` -> `Companies`."""
        named = self.collection_names.get(entity_type)
        if named is None and self.find_collection_name is not None:
            named = self.find_collection_name(entity_type)
        return named or collection_of(entity_type.__name__)

    def get_collection_name(self, entity_or_type: object) -> str:
        """The collection of an entity or a class, as programs written for RavenDB ask for it."""
        if isinstance(entity_or_type, type):
            return self.collection_of(entity_or_type)
        return self.collection_of(type(entity_or_type))

    def id_prefix_of(self, entity_type: type) -> str:
        """What generated ids of a class begin with: `Company` -> `companies`."""
        transform = self.transform_class_collection_name_to_document_id_prefix or id_prefix_of
        return transform(self.collection_of(entity_type))

    def generate_document_id(self, database_name: str, entity: object) -> str | None:
        """The id of a new entity by `document_id_generator`; None if there is no generator."""
        generator = self.document_id_generator
        return None if generator is None else generator(database_name, entity)

    def get_identity_property_name(self, entity_type: type) -> str | None:
        """The attribute that holds the id of entities of a class; None if there is none."""
        if self.find_identity_property_name is not None:
            return self.find_identity_property_name(entity_type)
        if self.identity_property != "Id":
            return self.identity_property
        return identity_property_of(entity_type)

    def get_python_class_name(self, entity_type: type) -> str:
        """The name that documents of a class carry as `Raven-Python-Type`."""
        if self.find_python_class_name is not None:
            return self.find_python_class_name(entity_type)
        return f"{entity_type.__module__}.{entity_type.__name__}"

    def register(self, entity_type: type[T]) -> type[T]:
        """Let documents that carry the name of this class be read as it without being asked to.

        Without it, a document that is loaded without a type is a dictionary: a name in a document
        is data, and never makes the client import anything. With it, a load as a base class gives
        instances of the registered subclasses too. It may be used at any time, and as a decorator.
        Raises Misuse if another class has the same name.

            store.conventions.register(Company)
            company = await session.load("companies/1-A")
        """
        self._types.register(self.get_python_class_name(entity_type), entity_type)
        return entity_type

    def type_of(self, document_id: str, document: Mapping[str, Any], wanted: Any) -> Any:
        """The class to read a document as that was asked for as `wanted`.

        That is the registered class whose name the document carries, if it is a kind of `wanted`.
        """
        name = None
        if self.find_python_class is not None:
            name = self.find_python_class(document_id, document)
        if name is None:
            name = document.get(METADATA, {}).get(PYTHON_TYPE)
        found = self._types.find(name)
        if found is None or not isinstance(wanted, type) or get_origin(wanted) is not None:
            return wanted
        return found if issubclass(found, wanted) else wanted

    def new_metadata(self, entity: object, document_id: str) -> JsonObject:
        """The metadata of a document that is to be made of an entity."""
        kind = type(entity)
        metadata: JsonObject = {}
        if isinstance(entity, dict):
            metadata.update(_metadata_of(entity))
            collection = document_id.rstrip("|").partition("/")[0]
        else:
            collection = self.collection_of(kind)
        metadata.setdefault("@collection", collection)
        # The official Python client finds the class by this name.
        metadata.setdefault(PYTHON_TYPE, self.get_python_class_name(kind))
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


def _metadata_of(entity: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a dictionary brings along as its metadata."""
    found = entity.get(METADATA, {})
    if isinstance(found, Mapping):
        return found
    raise Misuse(f"the {METADATA} of a dictionary is a dictionary, not {found!r:.80}")
