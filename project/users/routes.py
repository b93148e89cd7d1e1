"""/users: one's own account."""

from __future__ import annotations

from project.http.blueprint import Blueprint
from project.http.guards import actor
from project.users.models import User
from project.users.schemas import UserOut

blp = Blueprint("users", __name__, description="Accounts.")


@blp.get("/me")
@blp.signed_in
@blp.item(UserOut)
def get_me() -> User:
    """Get one's own account"""
    me: User = actor()
    return me
