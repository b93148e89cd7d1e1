"""/posts: drafts, and what their authors publish."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from project.db import Lookup
from project.errors import InUse, NotFound, Stale
from project.http import etag
from project.http.blueprint import Blueprint
from project.http.guards import actor, viewer
from project.posts import service
from project.posts.models import Post
from project.posts.schemas import PostIn, PostOut, PostPatch, PostQuery

blp = Blueprint("posts", __name__, description="What people write, as drafts or published.")

MISSING = NotFound("Post with id 9 not found")  # also a draft of somebody else
MOVED_ON = Stale('Post 1 has changed, its ETag is "1-3" now; read it again')


@blp.get("/")
@blp.optionally_signed_in
@blp.page(PostOut, PostQuery, service.SORTABLE, order="-id")
def list_posts(**query: Any) -> Select[Post]:
    """List posts, the newest first

    Drafts are seen by their author and by superusers only.
    """
    return service.search(viewer(), **query)


@blp.post("/")
@blp.signed_in
@blp.once
@blp.arguments(PostIn)
@blp.created(PostOut, at="posts.get_post")
def create_post(values: dict[str, Any]) -> Post:
    """Write a post"""
    return service.create(values, by=actor())


@blp.get("/<id:id>")
@blp.optionally_signed_in
@blp.item(PostOut)
@blp.refuses(MISSING)
def get_post(id: int) -> Lookup[Post]:
    """Get a post

    Only its author and superusers find a draft.
    """
    return service.find(id, viewer())


@blp.put("/<id:id>")
@blp.signed_in
@blp.arguments(PostPatch)
@blp.item(PostOut)
@blp.refuses(service.OnlyAuthor, MISSING, MOVED_ON)
def put_post(values: dict[str, Any], id: int) -> Post:
    """Change a post

    Only the fields sent are changed, as with PATCH.
    """
    return service.update(id, values, etag.expected(id), by=actor())


@blp.patch("/<id:id>")
@blp.signed_in
@blp.once
@blp.arguments(PostPatch)
@blp.item(PostOut)
@blp.refuses(service.OnlyAuthor, MISSING, MOVED_ON)
def patch_post(values: dict[str, Any], id: int) -> Post:
    """Change some fields of a post"""
    return service.update(id, values, etag.expected(id), by=actor())


@blp.delete("/<id:id>")
@blp.signed_in
@blp.nothing
@blp.refuses(service.OnlyAuthor, InUse, MISSING, MOVED_ON)
def delete_post(id: int) -> None:
    """Delete a post for good"""
    service.delete(id, etag.expected(id), by=actor())


@blp.post("/<id:id>/publish")
@blp.signed_in
@blp.once
@blp.item(PostOut)
@blp.refuses(service.OnlyAuthor, MISSING, MOVED_ON)
def publish_post(id: int) -> Post:
    """Show a post to everybody"""
    return service.publish(id, etag.expected(id), by=actor())


@blp.post("/<id:id>/unpublish")
@blp.signed_in
@blp.once
@blp.item(PostOut)
@blp.refuses(service.OnlyAuthor, MISSING, MOVED_ON)
def unpublish_post(id: int) -> Post:
    """Make a post a draft again"""
    return service.unpublish(id, etag.expected(id), by=actor())
