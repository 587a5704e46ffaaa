"""Entities for tests of the client."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Address:
    city: str
    street: str = ""


@dataclass
class Company:
    name: str
    employees: int = 0
    address: Address | None = None
    tags: list[str] = field(default_factory=list)
    founded: datetime | None = None
    Id: str | None = None


class Employee:
    """A plain class, as programs for RavenDB have them."""

    def __init__(self, first_name: str = "", Id: str | None = None) -> None:
        self.first_name = first_name
        self.Id = Id
