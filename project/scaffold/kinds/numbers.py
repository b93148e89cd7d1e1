"""Numbers: whole ones, and such with decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from project.db import INT4, INT8
from project.http.fields.numbers import greatest
from project.scaffold.kinds.field import RANGE, Field, literal

PLENTY = 1000  # numbers, for all rows of a test run


class Integer(Field):
    """A whole number of four bytes."""

    python = "int"
    filters = RANGE
    widest = -INT4, INT4
    of_database = "Integer"

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == 0 else [f"min={whole(self.low)}"]
        high = [] if self.high == INT4 else [f"max={whole(self.high)}"]
        return ["Int", *low, *high]

    @property
    def check(self) -> tuple[str, str] | None:
        lowest, highest = self.widest
        conditions = {
            (True, True): f"BETWEEN {self.low} AND {self.high}",
            (True, False): f">= {self.low}",
            (False, True): f"<= {self.high}",
        }
        bounded = self.low != lowest, self.high != highest
        if bounded not in conditions:
            return None
        return f"{self.column}_range", f"{self.column} {conditions[bounded]}"

    @property
    def example(self) -> int:
        return int(min(max(3, self.low), self.high))

    @property
    def numbered(self) -> str:
        if self.high - self.example >= PLENTY:  # beyond the example, which is somebody's too
            return f"{self.example} + number"
        return "number" if self.low <= 1 else f"{self.low} + number"

    @property
    def wrong(self) -> tuple[str, str]:
        return f"{self.high + 1}", "out_of_range"

    @property
    def broken(self) -> str | None:
        return str(self.low - 1 if self.low != self.widest[0] else self.high + 1)

    @property
    def other(self) -> Mapping[str, str]:
        more = {"_min": str(self.high)} if self.example < self.high else {}
        return {**more, **({"_max": str(self.low)} if self.low < self.example else {})}


class Bigint(Integer):
    """A whole number of eight bytes."""

    widest = -INT8, INT8
    kind = "BigInteger"
    of_database = "BigInteger"

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == 0 else [f"min={whole(self.low)}"]
        return ["Int", *low, f"max={whole(self.high)}"]


@dataclass(frozen=True, kw_only=True)
class Decimals(Field):
    """A number with decimals: so many digits, so many of them behind the point."""

    digits: int = 12
    places: int = 3

    python = "Decimal"
    uniquely = False
    filters = RANGE
    broken = 'Decimal("NaN")'

    @property
    def kind(self) -> str:
        return f"Numeric({self.digits}, {self.places})"

    @property
    def widest(self) -> tuple[Decimal, Decimal]:
        return -self.most, self.most

    @property
    def most(self) -> Decimal:
        return greatest(self.digits, self.places)

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == -self.most else [f"min={decimal(self.low)}"]
        high = [] if self.high == self.most else [f"max={decimal(self.high)}"]
        return ["Numeric", str(self.digits), str(self.places), *low, *high]

    @property
    def filter(self) -> str:
        """Without bounds: whoever asks for more than there can be finds nothing."""
        return f'Numeric({self.digits}, {self.places}, metadata={{{{"description": "{{}}"}}}})'

    @property
    def check(self) -> tuple[str, str]:
        # NaN is greater than every number: an upper bound keeps it out
        return f"{self.column}_range", f"{self.column} BETWEEN {self.low} AND {self.high}"

    @property
    def example(self) -> str:
        usual = Decimal("29.9") if self.digits - self.places > 1 else Decimal("1.5")
        return f"{min(max(usual, self.low), self.high):.{self.places}f}"

    @property
    def wrong(self) -> tuple[str, str]:
        return f'"{self.high + 1}"', "out_of_range"

    @property
    def other(self) -> Mapping[str, str]:
        example = Decimal(self.example)
        more = {"_min": literal(str(self.high))} if example < self.high else {}
        return {**more, **({"_max": literal(str(self.low))} if example > self.low else {})}


@dataclass(frozen=True, kw_only=True)
class Money(Decimals):
    """An amount of two decimals."""

    digits: int = 10
    places: int = 2

    kind = ""
    of_database = "Numeric(10, 2)"

    @property
    def usual(self) -> tuple[Decimal, Decimal]:
        return Decimal(0), self.most

    @property
    def parts(self) -> list[str]:
        low = [] if self.low == Decimal("0.01") else [f"min={decimal(self.low)}"]
        high = [] if self.high == self.most else [f"max={decimal(self.high)}"]
        return ["Money", *low, *high]

    @property
    def filter(self) -> str:
        kind = "Money(min=Decimal(0)" if self.low >= 0 else "Numeric(10, 2"
        return f'{kind}, metadata={{{{"description": "{{}}"}}}})'


def decimal(number: Decimal) -> str:
    """As the house spells it."""
    return f"Decimal({number})" if number == int(number) else f'Decimal("{number}")'


def whole(number: int) -> str:
    """The limits of the database by their names."""
    named = {INT4: "INT4", -INT4: "-INT4", INT8: "INT8", -INT8: "-INT8"}
    return named.get(number, str(number))
