"""Whole numbers, numbers with decimals, amounts of money, and yes or no."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, cast, func, not_
from sqlalchemy import Text as SqlText

from project.db import INT4, INT8
from project.http.fields.value import NOTHING, NULL, Value, constant, never_null, or_null

PENNY = Decimal("0.01")
MOST = Decimal("99999999.99")

TRUE, FALSE, QUOTE = constant("true"), constant("false"), constant('"')

NOT_ZERO = "(?=[0.]*[1-9])"


class Int(Value):
    """A whole number: a JSON integer, or plain digits where values are spelled."""

    default_error_messages = {
        "invalid": "Must be a whole number.",
        "out_of_range": "Must be between {min} and {max}.",
        "zero": "Must not be zero.",
    }
    json_type = "integer"

    def __init__(self, *, min: int = 0, max: int = INT4, zero: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min, self.max, self.zero = min, max, zero

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        number = self._number(value)
        if not self.min <= number <= self.max:
            raise self.make_error("out_of_range", min=self.min, max=self.max)
        if number == 0 and not self.zero:
            raise self.make_error("zero")
        return number

    def _number(self, value: Any) -> int:
        if self.spelled and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
            return int(value)
        if isinstance(value, Decimal) and abs(value.adjusted()) < 20 and value == int(value):
            return int(value)  # to JSON Schema 5.0 is the integer 5
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.make_error("invalid")

    def json(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        number = self.sql(column)
        return number if never_null(column) else func.coalesce(cast(number, SqlText), NULL)

    def plain(self) -> str:
        if self.min > 1:
            return NOTHING
        above = NOT_ZERO if self.min == 1 or not self.zero else ""
        return f"{above}({_digits(self.max)})"

    def limits(self) -> dict[str, Any]:
        if self.dump_only:
            return {"format": "int64"}
        nonzero = {} if self.zero else {"not": {"const": 0}}
        return {"minimum": self.min, "maximum": self.max, **nonzero}


class Ids(Value):
    """Ids of rows, each counted once: one at least, and not more than `most`."""

    default_error_messages = {
        "invalid": "Must be a list of whole numbers.",
        "length": "Must hold 1 to {most} ids.",
    }
    json_type = "array"
    each = Int(min=1, max=INT8)

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not 1 <= len(value) <= self.most:
            raise self.make_error("length", most=self.most)
        return list(dict.fromkeys(self.each.deserialize(id) for id in value))

    def limits(self) -> dict[str, Any]:
        length = {} if self.dump_only else {"minItems": 1, "maxItems": self.most}
        return {"items": self.each.describe(), **length}


class StrictBoolean(Value):
    """true or false, not "yes" and not 1."""

    default_error_messages = {"invalid": "Must be true or false."}
    json_type = "boolean"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if self.spelled and value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value

    def json(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return or_null(column, case((column, TRUE), (not_(column), FALSE)))

    def plain(self) -> str:
        return "(true|false)"


class Numeric(Value):
    """A number with at most `places` decimals, as string or number; answered as a string with all.

    digits: how many a number has at most, those behind the point among them; 15 go through a float.
    """

    default_error_messages = {
        "invalid": 'Must be a number such as "1.5".',
        "decimals": "Must have at most {places} decimals.",
        "out_of_range": "Must be between {min} and {max}.",
    }

    def __init__(
        self,
        digits: int,
        places: int,
        *,
        min: Decimal | None = None,
        max: Decimal | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.whole, self.places = digits - places, places
        self.step = Decimal(1).scaleb(-places)
        most = greatest(digits, places)
        self.min, self.max = -most if min is None else min, most if max is None else max

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:.{self.places}f}"

    def sql(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        exact = getattr(column.type, "scale", None) == self.places  # as they are kept
        return cast(column if exact else func.round(column, self.places), SqlText)

    def json(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return or_null(column, QUOTE.concat(self.sql(column)).concat(QUOTE))

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self.make_error("invalid")
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", value):
            raise self.make_error("invalid")
        number = Decimal(value)
        if not self.min <= number <= self.max:
            raise self.make_error("out_of_range", min=self.min, max=self.max)
        if number != round(number, self.places):
            raise self.make_error("decimals", places=self.places)
        return round(number, self.places) + 0  # which is what makes 0.00 of -0.00

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        if self.dump_only or self.spelled:
            return described
        limits = {"minimum": float(self.min), "maximum": float(self.max)}
        number = {"type": "number", **limits, "multipleOf": float(self.step)}
        string = {"type": "string", "pattern": described.pop("pattern")}
        described.pop("type")
        null = [{"type": "null"}] if self.allow_none else []
        return {"anyOf": [string, number, *null], **described}

    def limits(self) -> dict[str, Any]:
        sign = "-?" if self.min < 0 else ""
        if self.dump_only:
            return {"pattern": rf"^{sign}[0-9]+\.[0-9]{{{self.places}}}$"}
        nonzero = r"(?!0+(\.0+)?$)" if self.min > 0 else ""
        whole, fraction = f"[0-9]{{1,{self.whole}}}", rf"\.[0-9]{{1,{self.places}}}"
        return {
            "pattern": rf"^{nonzero}{sign}0{{0,32}}{whole}({fraction}0{{0,{40 - self.places}}})?$"
        }


class Money(Numeric):
    """An amount of at most two decimals, as string or number; answered as a string with two."""

    default_error_messages = {
        "invalid": 'Must be an amount such as "29.90".',
        "decimals": "Must have at most two decimals.",
    }

    def __init__(self, *, min: Decimal = PENNY, max: Decimal = MOST, **kwargs: Any) -> None:
        super().__init__(10, 2, min=min, max=max, **kwargs)

    def plain(self) -> str:
        if self.min > PENNY:
            return NOTHING
        above = NOT_ZERO if self.min > 0 else ""
        return rf"{above}({_digits(self.max)}(?:\.[0-9]{{1,2}})?)"


def greatest(digits: int, places: int) -> Decimal:
    """The greatest number of so many digits, so many of them behind the point."""
    return Decimal(10) ** (digits - places) - Decimal(1).scaleb(-places)


def _digits(most: int | Decimal) -> str:
    """As many digits as a whole number may have, with pennies behind it, that is surely no more."""
    many = len(str(max(0, int(most + PENNY)))) - 1
    return f"[0-9]{{1,{many}}}" if many else NOTHING
