"""The words models are written in: the base, column types, and what every row has."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Function,
    Identity,
    MetaData,
    Numeric,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column, registry

HYPHEN = literal_column("'-'", Text)

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Instant = Annotated[datetime, mapped_column(server_default=func.now())]


class Base(DeclarativeBase):
    """Constraint names follow one convention, so that a migration and a rule can name them."""

    registry = registry(  # not type_annotation_map: Flask-SQLAlchemy 3.1 cannot read it here
        metadata=MetaData(
            naming_convention={
                "pk": "pk_%(table_name)s",
                "uq": "uq_%(table_name)s_%(column_0_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s",
                "ix": "ix_%(table_name)s_%(column_0_name)s",
            }
        ),
        type_annotation_map={datetime: TIMESTAMP(timezone=True), Decimal: Numeric(10, 2)},
    )


class Tagged:
    """What has an `id` and a `version`."""

    @hybrid_property
    def tag(self: Any) -> str:
        """What tells this state of it from all others, in an ETag for example."""
        return f"{self.id}-{self.version}"

    @tag.inplace.expression
    @classmethod
    def _tag(cls) -> ColumnElement[str]:
        return tag_of(cls)


def tag_of(row: Any) -> ColumnElement[str]:
    """The same of columns."""
    return func.concat(row.id, HYPHEN, row.version)


class Item(Tagged, Base):
    """A row of its own: counted versions are what ETag and If-Match speak of."""

    __abstract__ = True

    id: Mapped[Id] = mapped_column(sort_order=-1)
    version: Mapped[int] = mapped_column(server_default="1", sort_order=1)
    created_at: Mapped[Instant] = mapped_column(sort_order=1)
    updated_at: Mapped[Instant] = mapped_column(sort_order=1)


def ngrams(of: ColumnElement[str] | InstrumentedAttribute[str], shortest: int = 1) -> Function[Any]:
    """Each letter of a text with the next, and those beyond ASCII alone too; from 2 on, the pairs.

    All in lower case. A column with an index of these says so, `info={"ngrams": True}`, so that
    `matching` uses it.
    """
    lower = func.lower(of).collate("C")  # compared byte by byte, whatever the language
    return func.ngrams(lower, text(str(shortest)), type_=ARRAY(Text))
