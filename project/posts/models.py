"""A post: a draft, or published at an instant; its author never changes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from project.db import Item, rule
from project.errors import Unauthorized
from project.users.models import User

GONE = Unauthorized  # deleted a moment after the guard let the author in


class Post(Item):
    """Something somebody wrote; it goes when its author goes."""

    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("char_length(title) >= 1", name="title_given"),
        CheckConstraint("char_length(content) BETWEEN 1 AND 50000", name="content_length"),
        CheckConstraint("is_published = (published_at IS NOT NULL)", name="published_is_dated"),
        Index("ix_posts_author_id", "author_id", "id"),
        Index("ix_posts_published", "id", postgresql_where=text("is_published")),
    )

    title: Mapped[str] = mapped_column(String(255))
    content: Mapped[str] = mapped_column(Text)
    is_published: Mapped[bool] = mapped_column(server_default=text("false"))
    # often now(), which is known to the database only: so the INSERT brings it back
    published_at: Mapped[datetime | None] = mapped_column(FetchedValue())
    author_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE", info=rule(GONE.code, GONE.sentence, kind=GONE))
    )

    author: Mapped[User] = relationship(lazy="raise")  # a query per row would go unnoticed
