"""Users together with what they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Select

from project.db import Tagged, db
from project.posts import service as posts
from project.posts.models import Post
from project.users import service as users
from project.users.models import User

NEWEST = 20


@dataclass(frozen=True)
class Profile(Tagged):
    """A user, and the newest posts where they were asked for."""

    user: User
    posts: Sequence[Post] | None = None

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def version(self) -> int:
        """The user's; with posts a digest of all versions, as posts come and go by themselves."""
        if self.posts is None:
            return self.user.version
        seen = self.user.version, [(post.id, post.version) for post in self.posts]
        return int.from_bytes(sha256(repr(seen).encode()).digest()[:7])


def get(id: int, viewer: User, *, with_posts: bool) -> Profile:
    """A user, perhaps with the newest posts, drafts too; raises NotFound."""
    user = users.get(id)
    if not with_posts:
        return Profile(user)
    newest = posts_of(id, viewer).order_by(Post.id.desc()).limit(NEWEST)
    return Profile(user, db.session.scalars(newest).all())


def posts_of(id: int, viewer: User | None) -> Select[Post]:
    """What this user wrote and the viewer may see; raises NotFound for a user who is not there."""
    author = users.get(id)
    return posts.search(viewer, author_id=author.id)
