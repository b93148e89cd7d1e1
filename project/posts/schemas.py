"""Posts as documents."""

from __future__ import annotations

from marshmallow.fields import Nested

from project.db import INT8
from project.http.fields import Int, StrictBoolean, Text, Timestamp
from project.http.schemas import Patch, Query, Schema, Stored


class AuthorOut(Schema):
    """Who wrote a post, as everybody may know."""

    id = Int(required=True, dump_only=True, example=1)
    username = Text(max=50, required=True, dump_only=True, example="ada")


class PostIn(Schema):
    """A post to be made: a draft, unless it says otherwise."""

    title = Text(min=1, max=255, required=True, example="How we count lamps")
    content = Text(min=1, max=50_000, required=True, example="One by one, every evening.")
    is_published = StrictBoolean(example=True)


class PostPatch(Patch, PostIn):
    """The fields to change."""


class PostOut(Stored, PostIn):
    """A post as it is answered."""

    author = Nested(AuthorOut)
    published_at = Timestamp(allow_none=True, example="2026-11-22T08:51:36.773621Z")


class PostQuery(Query):
    """Which posts."""

    q = Text(
        min=1,
        max=255,
        example="lamp",
        metadata={"description": "Part of the title or the content, in any case."},
    )
    author_id = Int(min=1, max=INT8, metadata={"description": "Those of this user."})
    is_published = StrictBoolean(metadata={"description": "true: published; false: drafts."})
