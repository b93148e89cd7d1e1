"""Posts for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from project.db import save
from project.posts.models import Post
from tests.users.make import make_user

LONG_AGO = datetime(2020, 2, 29, 12, tzinfo=UTC)
numbers = count(1)


def make_post(**values: Any) -> Post:
    """A stored draft of somebody new; `values` replace what it is made of."""
    made = {"title": f"Post {next(numbers)}", "content": "Words.", **values}
    if "author" not in made and "author_id" not in made:
        made["author"] = make_user()
    if made.get("is_published"):
        made.setdefault("published_at", LONG_AGO)
    return save(Post(**made))
