"""/users: one's own account, and everybody's for superusers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from project.errors import InUse, NotFound, Refused, Stale
from project.http import etag
from project.http.blueprint import Blueprint
from project.http.guards import actor, session_id
from project.users import credentials, service
from project.users.models import User
from project.users.schemas import (
    CountOut,
    CountQuery,
    MePatch,
    PasswordIn,
    StatusIn,
    StatusOut,
    UserIn,
    UserOut,
    UserPatch,
    UserQuery,
)

blp = Blueprint("users", __name__, description="Accounts.")

NAME_TAKEN = Refused("User name 'ada' is taken", code="duplicate_username")
EMAIL_TAKEN = Refused("E-mail 'ada@example.org' is taken", code="duplicate_email")
MISSING = NotFound("User with id 9 not found")
MOVED_ON = Stale('User 1 has changed, its ETag is "1-3" now; read it again')


@blp.get("/me")
@blp.signed_in
@blp.item(UserOut)
def get_me() -> User:
    """Get one's own account"""
    me: User = actor()
    return me


@blp.patch("/me")
@blp.signed_in
@blp.once
@blp.arguments(MePatch)
@blp.item(UserOut)
@blp.refuses(NAME_TAKEN, EMAIL_TAKEN, MOVED_ON)
def patch_me(values: dict[str, Any]) -> User:
    """Change some fields of one's own account"""
    me = actor()
    return service.update(me.id, values, etag.expected(me.id), by=me)


@blp.post("/me/password")
@blp.signed_in
@blp.once
@blp.arguments(PasswordIn)
@blp.limited("login", by=lambda _: f"change {actor().id}")
@blp.nothing
@blp.refuses(credentials.WrongPassword)
def change_password(values: dict[str, Any]) -> None:
    """Give oneself a new password

    Every other session ends.
    """
    current, password = values["current_password"], values["password"]
    credentials.change(actor(), current, password, session_id=session_id())


@blp.get("/")
@blp.superuser
@blp.page(UserOut, UserQuery, service.SORTABLE, order="-id")
def list_users(**query: Any) -> Select[User]:
    """List users, newest first, or search them"""
    return service.search(**query)


@blp.get("/count")
@blp.superuser
@blp.arguments(CountQuery, "query")
@blp.document(CountOut)
def count_users(**query: Any) -> dict[str, int]:
    """Count users"""
    return {"count": service.count(**query)}


@blp.post("/")
@blp.superuser
@blp.once
@blp.arguments(UserIn)
@blp.created(UserOut, at="users.patch_user")
@blp.refuses(NAME_TAKEN, EMAIL_TAKEN)
def create_user(values: dict[str, Any]) -> User:
    """Create a user

    A mail welcomes the user.
    """
    return service.admit(values)


@blp.post("/bulk-status")
@blp.superuser
@blp.once
@blp.arguments(StatusIn)
@blp.document(StatusOut)
@blp.refuses(service.OwnAccount, service.LastSuperuser)
def set_status(values: dict[str, Any]) -> dict[str, Any]:
    """Activate or deactivate up to 100 users"""
    return service.set_status(**values, by=actor())


@blp.patch("/<id:id>")
@blp.superuser
@blp.once
@blp.arguments(UserPatch)
@blp.item(UserOut)
@blp.refuses(NAME_TAKEN, EMAIL_TAKEN, service.OwnAccount, service.LastSuperuser, MISSING, MOVED_ON)
def patch_user(values: dict[str, Any], id: int) -> User:
    """Change some fields of a user"""
    return service.update(id, values, etag.expected(id), by=actor())


@blp.delete("/<id:id>")
@blp.superuser
@blp.nothing
@blp.refuses(service.OwnAccount, service.LastSuperuser, InUse, MISSING, MOVED_ON)
def delete_user(id: int) -> None:
    """Delete a user, and all that belongs to the user"""
    service.delete(id, etag.expected(id), by=actor())
