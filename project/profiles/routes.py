"""/users/{id}: an account, and what its owner writes."""

from __future__ import annotations

from sqlalchemy import Select

from project.errors import NotFound
from project.http.blueprint import Blueprint
from project.http.guards import actor, viewer
from project.http.schemas import Query
from project.posts.models import Post
from project.posts.schemas import PostOut
from project.posts.service import SORTABLE
from project.profiles import service
from project.profiles.schemas import ProfileOut, ProfileQuery

blp = Blueprint("profiles", __name__, description="People and what they write.")

MISSING = NotFound("User with id 9 not found")


@blp.get("/<id:id>")
@blp.self_or_superuser
@blp.arguments(ProfileQuery, "query")
@blp.item(ProfileOut)
@blp.refuses(MISSING)
def get_user(id: int, include: str | None = None) -> service.Profile:
    """Get an account, with its newest posts if asked for

    With them the `ETag` is that of the whole answer, and no version for `If-Match`.
    """
    return service.get(id, actor(), with_posts=include == "posts")


@blp.get("/<id:id>/posts")
@blp.optionally_signed_in
@blp.page(PostOut, Query, SORTABLE, order="-id")
@blp.refuses(MISSING)
def list_posts_of_user(id: int) -> Select[Post]:
    """List the posts of a user, the newest first

    Drafts are seen by their author and by superusers only.
    """
    return service.posts_of(id, viewer())
