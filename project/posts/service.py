"""What can be done with posts, and by whom."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, Text, func, null, or_, select
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from project.db import (
    Lookup,
    announce,
    fetch,
    matching,
    remove,
    revise,
    revise_if,
    save,
)
from project.errors import Forbidden
from project.posts.models import Post
from project.users import service as users
from project.users.models import User

AUTHOR = joinedload(Post.author, innerjoin=True).load_only(User.username)  # all that is told of one


class OnlyAuthor(Forbidden):
    """What is somebody else's."""

    sentence = "Only the author and superusers may do this."


SORTABLE: dict[str, Any] = {
    "id": Post.id,
    "title": func.lower(Post.title, type_=Text()),  # people do not sort by code point
    "created_at": Post.created_at,
    "updated_at": Post.updated_at,
}


def search(
    viewer: User | None,
    q: str | None = None,
    author_id: int | None = None,
    is_published: bool | None = None,
) -> Select[Post]:
    """The posts the viewer may see: published ones, and drafts of one's own; superusers see all."""
    found = select(Post).options(AUTHOR)
    if viewer is None:
        found = found.where(Post.is_published)
    elif not viewer.is_superuser:
        found = found.where(or_(Post.is_published, Post.author_id == viewer.id))
    if q is not None:
        found = found.where(matching(q, Post.title, Post.content))
    if author_id is not None:
        found = found.where(Post.author_id == author_id)
    if is_published is not None:
        found = found.where(Post.is_published == is_published)
    return found


def find(id: int, viewer: User | None) -> Lookup[Post]:
    """A post; one that the viewer may not see is looked for, and missing, like any other."""
    return Lookup(Post, id, search(viewer))


def create(values: dict[str, Any], *, by: User) -> Post:
    """Write a post: a draft, or published at once."""
    published_at = func.now() if values.get("is_published") else None
    post = save(Post(**values, published_at=published_at, author=by))
    announce("post.created", post_id=post.id, author_id=by.id)
    return post


def update(
    id: int, values: dict[str, Any], versions: Collection[int] | None = None, *, by: User
) -> Post:
    """Change the fields sent."""
    post = _own(id, by)
    author = post.author
    revise(Post, id, _dated(values), versions)
    announce("post.updated", post_id=id, fields=sorted(values), version=post.version)
    return _by(author, post)


def delete(id: int, versions: Collection[int] | None = None, *, by: User) -> None:
    """Delete a post for good."""
    _own(id, by)
    remove(Post, id, versions)
    announce("post.deleted", post_id=id)


users.leaving(Post.author_id, "post")


def publish(id: int, versions: Collection[int] | None = None, *, by: User) -> Post:
    """Show a post to everybody. Doing it again changes nothing."""
    return _set_published(id, True, "post.published", versions, by)


def unpublish(id: int, versions: Collection[int] | None = None, *, by: User) -> Post:
    """Make a post a draft again. Doing it again changes nothing."""
    return _set_published(id, False, "post.unpublished", versions, by)


def _set_published(
    id: int, published: bool, event: str, versions: Collection[int] | None, by: User
) -> Post:
    """Publish or unpublish, unless it is so already."""
    post = _own(id, by)
    author = post.author
    values = _dated({"is_published": published})
    if revise_if(Post.is_published != published, Post, id, values, versions):
        announce(event, post_id=id, version=post.version)
    return _by(author, post)


def _own(id: int, by: User) -> Post:
    """A post that `by` may change; raises NotFound, and Forbidden where it can be read.

    This comes before any version is compared: who may not see a post must not hear of its version.
    It lets no two writers pass, since authors never change.
    """
    post = fetch(Post, id, among=search(by))
    if post.author_id != by.id and not by.is_superuser:
        raise OnlyAuthor
    return post


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    """The change with its date: publishing what is published keeps the first one."""
    if "is_published" not in values:
        return values
    since = func.coalesce(Post.published_at, func.now()) if values["is_published"] else null()
    return {**values, "published_at": since}


def _by(author: User, post: Post) -> Post:
    """The post with its author, whom an UPDATE does not bring along."""
    set_committed_value(post, "author", author)
    return post
