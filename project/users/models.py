"""A user: unique in both names as they are stored, in lower case."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from project.db import Item, rule


class User(Item):
    """Somebody with an account."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email", info=rule("duplicate_email", "E-mail '{email}' is taken")),
        UniqueConstraint(
            "username", info=rule("duplicate_username", "User name '{username}' is taken")
        ),
        CheckConstraint(
            "email = lower(email)",
            name="email_lower",
            info=rule("invalid_email", "The e-mail address has letters without a lower case"),
        ),
        CheckConstraint("username = lower(username)", name="username_lower"),
        CheckConstraint("char_length(username) BETWEEN 3 AND 50", name="username_length"),
        CheckConstraint("char_length(bio) <= 2000", name="bio_length"),
        Index("ix_users_superusers", "id", postgresql_where=text("is_superuser")),
    )

    email: Mapped[str] = mapped_column(String(255))
    username: Mapped[str] = mapped_column(String(50))
    hashed_password: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str | None] = mapped_column(String(255))
    bio: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_superuser: Mapped[bool] = mapped_column(server_default=text("false"))
