"""Places: fields that hold one, and what they must have to do with a shape."""

from collections.abc import Callable
from dataclasses import dataclass

from quoth.queries.choices import SpatialRelation, SpatialUnits
from quoth.queries.fields import written

DISTANCE_ERROR_PCT = 0.025  # of the size of a shape: how far off a cheap comparison may be
AddParameter = Callable[[object], str]


class DynamicSpatialField:
    """A place made of fields of a document, without an index that says so."""

    def __init__(self, round_factor: float = 0) -> None:
        self.round_factor = round_factor

    def to_field(self, ensure_valid_field_name: Callable[[str], str]) -> str:
        """How RQL says it."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is written")

    def round_to(self, factor: float) -> "DynamicSpatialField":
        """Take distances as equal that differ by less than this, when ordering by them."""
        self.round_factor = factor
        return self


class PointField(DynamicSpatialField):
    """A point, by the names of the fields with its latitude and longitude in degrees."""

    def __init__(self, latitude: str, longitude: str) -> None:
        super().__init__()
        self.latitude = latitude
        self.longitude = longitude

    def to_field(self, ensure_valid_field_name: Callable[[str], str]) -> str:
        latitude, longitude = map(ensure_valid_field_name, (self.latitude, self.longitude))
        return f"spatial.point({latitude}, {longitude})"


class WktField(DynamicSpatialField):
    """A shape, by the name of the field with its well-known text."""

    def __init__(self, wkt: str) -> None:
        super().__init__()
        self.wkt = wkt

    def to_field(self, ensure_valid_field_name: Callable[[str], str]) -> str:
        return f"spatial.wkt({ensure_valid_field_name(self.wkt)})"


@dataclass(frozen=True, slots=True)
class SpatialCriteria:
    """What a field must have to do with a shape. Made by SpatialCriteriaFactory."""

    shape: str  # spatial.circle or spatial.wkt
    values: tuple[object, ...]
    units: SpatialUnits | None
    relation: SpatialRelation
    dist_error_percent: float

    def text(self, field: str, add_parameter: AddParameter) -> str:
        """How RQL says it of a field."""
        arguments = ", ".join(add_parameter(value) for value in self.values)
        units = "" if self.units is None else f", '{self.units.value}'"
        is_default = self.dist_error_percent == DISTANCE_ERROR_PCT
        error = "" if is_default else f", {self.dist_error_percent}"
        name = f"spatial.{self.relation.value.lower()}"
        return f"{name}({written(field)}, {self.shape}({arguments}{units}){error})"


class SpatialCriteriaFactory:
    """What `spatial` hands to its clause.

    query.spatial("place", lambda where: where.within_radius(10, 52.5, 13.4))
    """

    def relates_to_shape(
        self,
        shape_wkt: str,
        relation: SpatialRelation,
        units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """A relation to a shape in well-known text."""
        return SpatialCriteria("spatial.wkt", (shape_wkt,), units, relation, dist_error_percent)

    def intersects(
        self,
        shape_wkt: str,
        units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """Having a part in common with a shape."""
        relation = SpatialRelation.INTERSECTS
        return self.relates_to_shape(shape_wkt, relation, units, dist_error_percent)

    def contains(
        self,
        shape_wkt: str,
        units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """Having all of a shape inside."""
        relation = SpatialRelation.CONTAINS
        return self.relates_to_shape(shape_wkt, relation, units, dist_error_percent)

    def disjoint(
        self,
        shape_wkt: str,
        units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """Having no part in common with a shape."""
        relation = SpatialRelation.DISJOINT
        return self.relates_to_shape(shape_wkt, relation, units, dist_error_percent)

    def within(
        self,
        shape_wkt: str,
        units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """Lying inside a shape."""
        relation = SpatialRelation.WITHIN
        return self.relates_to_shape(shape_wkt, relation, units, dist_error_percent)

    def within_radius(
        self,
        radius: float,
        latitude: float,
        longitude: float,
        radius_units: SpatialUnits | None = None,
        dist_error_percent: float = DISTANCE_ERROR_PCT,
    ) -> SpatialCriteria:
        """Lying inside a circle; `radius_units` None leaves the unit to the index."""
        values = (radius, latitude, longitude)
        return SpatialCriteria(
            "spatial.circle", values, radius_units, SpatialRelation.WITHIN, dist_error_percent
        )
