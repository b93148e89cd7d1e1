"""Users as documents, together with what they write."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from project.http.fields import Choice
from project.http.schemas import Query
from project.posts.schemas import PostOut
from project.users.schemas import UserOut


class ProfileOut(UserOut):
    """An account as it is answered; `posts`, the newest twenty, where they were asked for."""

    posts = ma.fields.List(ma.fields.Nested(PostOut))

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Every field is required but `posts`."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = field_name != "posts"

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Fields are the user's, `posts` is the profile's."""
        if attr == "posts":
            return default if obj.posts is None else obj.posts
        return super().get_attribute(obj.user, attr, default)


class ProfileQuery(Query):
    """What to take along."""

    include = Choice(
        "posts",
        metadata={"description": "`posts`: the newest twenty, drafts too."},
    )
