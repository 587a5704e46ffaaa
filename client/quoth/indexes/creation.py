"""Indexes as classes: each makes one definition, named after the class.

    class Companies_ByName(AbstractIndexCreationTask):
        def __init__(self) -> None:
            super().__init__()
            self.map = "from c in docs.Companies select new { c.name }"
            self._index("name", FieldIndexing.SEARCH)

    Companies_ByName().execute(store)      # the index Companies/ByName

With an asynchronous store, `execute` is awaited. The methods with an underscore are for the class
itself, as in RavenDB's clients.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol, TypeVar

from quoth.errors import Misuse
from quoth.indexes.definitions import (
    FieldIndexing,
    FieldStorage,
    FieldTermVector,
    IndexDefinition,
    IndexDeploymentMode,
    IndexFieldOptions,
    IndexLockMode,
    IndexPriority,
    IndexState,
    IndexType,
    SearchEngineType,
)
from quoth.operations.indexes import PutIndexesOperation

R_co = TypeVar("R_co", covariant=True)
ALL_FIELDS = "__all_fields"


class IndexStore(Protocol[R_co]):
    """A store of either kind; R_co is what putting indexes gives: the results, or to be awaited."""

    def execute_indexes(
        self, tasks: "Iterable[AbstractIndexCreationTaskBase]", database: str | None = None
    ) -> R_co: ...


class AbstractIndexCreationTaskBase(ABC):
    """What all classes of indexes share: a name, and how the index is to be kept."""

    priority: IndexPriority | None = None
    lock_mode: IndexLockMode | None = None
    state: IndexState | None = None
    deployment_mode: IndexDeploymentMode | None = None
    search_engine_type: SearchEngineType | None = None

    def __init__(self) -> None:
        self.additional_sources: dict[str, str] | None = None
        self.configuration: dict[str, str] = {}

    @property
    def index_name(self) -> str:
        """The name of the class with slashes: `Companies_ByName` is `Companies/ByName`."""
        return type(self).__name__.replace("_", "/")

    @property
    @abstractmethod
    def is_map_reduce(self) -> bool:
        """Whether the entries are reduced."""

    @abstractmethod
    def create_index_definition(self) -> IndexDefinition:
        """The definition this class stands for. Raises Misuse if it has no map."""

    def execute(self, store: IndexStore[R_co], *, database: str | None = None) -> R_co:
        """Put the index; awaited if the store is an asynchronous one."""
        return store.execute_indexes([self], database)

    def _complete(self, definition: IndexDefinition) -> IndexDefinition:
        definition.name = self.index_name
        definition.priority = self.priority
        definition.lock_mode = self.lock_mode
        definition.state = self.state
        definition.deployment_mode = self.deployment_mode
        definition.search_engine_type = self.search_engine_type
        definition.additional_sources = self.additional_sources
        definition.configuration = dict(self.configuration)
        return definition


class AbstractGenericIndexCreationTask(AbstractIndexCreationTaskBase):
    """What classes with maps in the C# syntax share: options of fields, and the reduce."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce: str | None = None
        self._fields: dict[str, IndexFieldOptions] = {}

    @property
    def is_map_reduce(self) -> bool:
        return self.reduce is not None

    def _options_of(self, name: str) -> IndexFieldOptions:
        return self._fields.setdefault(name, IndexFieldOptions())

    def _index(self, field: str, indexing: FieldIndexing) -> None:
        """How a field is found."""
        self._options_of(field).indexing = indexing

    def _store(self, field: str, storage: FieldStorage) -> None:
        """Whether the value of a field is kept in the index."""
        self._options_of(field).storage = storage

    def _store_all_fields(self, storage: FieldStorage) -> None:
        """Whether the values of all fields are kept in the index."""
        self._store(ALL_FIELDS, storage)

    def _analyze(self, field: str, analyzer: str) -> None:
        """What takes the words of a field apart, such as `StandardAnalyzer`."""
        self._options_of(field).analyzer = analyzer

    def _term_vector(self, field: str, term_vector: FieldTermVector) -> None:
        """What is kept of the terms of a field."""
        self._options_of(field).term_vector = term_vector

    def _suggestion(self, field: str) -> None:
        """Let queries ask for words like those of a field."""
        self._options_of(field).suggestions = True

    def _definition(self, maps: list[str]) -> IndexDefinition:
        if not maps:
            raise Misuse(f"{type(self).__name__} has no map: nothing would ever be in the index")
        return self._complete(
            IndexDefinition(maps=maps, reduce=self.reduce, fields=dict(self._fields))
        )


class AbstractIndexCreationTask(AbstractGenericIndexCreationTask):
    """An index with one map, in the C# syntax."""

    def __init__(self) -> None:
        super().__init__()
        self.map: str | None = None

    def create_index_definition(self) -> IndexDefinition:
        return self._definition([self.map] if self.map else [])


class AbstractMultiMapIndexCreationTask(AbstractGenericIndexCreationTask):
    """An index with several maps, over several collections for instance."""

    def __init__(self) -> None:
        super().__init__()
        self._maps: list[str] = []

    def _add_map(self, map: str) -> None:
        """One map more."""
        if not map:
            raise Misuse("a map of an index is a text with something in it")
        self._maps.append(map)

    def create_index_definition(self) -> IndexDefinition:
        return self._definition(list(self._maps))


class AbstractJavaScriptIndexCreationTask(AbstractIndexCreationTaskBase):
    """An index with maps in JavaScript.

    class Companies_ByName(AbstractJavaScriptIndexCreationTask):
        def __init__(self) -> None:
            super().__init__()
            self.maps = ["map('Companies', c => ({ name: c.name }))"]
            self.fields = {"name": IndexFieldOptions(indexing=FieldIndexing.SEARCH)}
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps: Iterable[str] = ()
        self.fields: dict[str, IndexFieldOptions] = {}
        self.reduce: str | None = None

    @property
    def is_map_reduce(self) -> bool:
        return self.reduce is not None

    def create_index_definition(self) -> IndexDefinition:
        map_only, reduced = IndexType.JAVA_SCRIPT_MAP, IndexType.JAVA_SCRIPT_MAP_REDUCE
        return self._complete(
            IndexDefinition(
                maps=self.maps,
                reduce=self.reduce,
                fields=dict(self.fields),
                type=reduced if self.is_map_reduce else map_only,
            )
        )


class IndexCreation:
    """Puts many indexes at once: all of them, or none if one cannot be built."""

    @staticmethod
    def create_indexes(
        indexes: Iterable[AbstractIndexCreationTaskBase], store: IndexStore[R_co]
    ) -> R_co:
        """Put them in the database of the store; awaited if it is an asynchronous one."""
        return store.execute_indexes(indexes)


def put_indexes(tasks: Iterable[AbstractIndexCreationTaskBase]) -> PutIndexesOperation:
    """The operation that puts what these classes stand for."""
    tasks = list(tasks)
    for each in tasks:
        if not isinstance(each, AbstractIndexCreationTaskBase):
            raise Misuse(f"an index is an instance of a class of indexes, not {each!r:.80}")
    return PutIndexesOperation(*(each.create_index_definition() for each in tasks))
