"""The documents of the demonstration; both clients use the same classes."""

from dataclasses import dataclass


@dataclass
class Company:
    """A company, numbered by an identity."""

    name: str = ""
    Id: str | None = None


@dataclass
class User:
    """A user, whose name is reserved."""

    name: str = ""
    Id: str | None = None


@dataclass
class Product:
    """A product with a stock."""

    name: str = ""
    units_in_stock: int = 0
    Id: str | None = None


@dataclass
class Employee:
    """An employee; Bob's changes are not to be saved."""

    first_name: str = ""
    Id: str | None = None


@dataclass
class Invoice:
    """An invoice; its numbers must have no gap."""

    number: int = 0
    Id: str | None = None


@dataclass
class Account:
    """What is on it must add up."""

    name: str = ""
    balance: int = 0
    Id: str | None = None


@dataclass
class Order:
    """What the writing loop writes."""

    number: int = 0
    Id: str | None = None
