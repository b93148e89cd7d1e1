"""A user, unique in both names as they are stored, in lower case; and lost passwords."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from project.db import Base, Item, rule


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


class PasswordReset(Base):
    """A token, by its SHA-256, that replaces a password once."""

    __tablename__ = "password_resets"
    __table_args__ = (Index("ix_password_resets_user_id", "user_id"),)

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
