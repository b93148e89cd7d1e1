"""/auth/sessions: where one is signed in."""

from __future__ import annotations

from sqlalchemy import Select

from project.errors import NotFound
from project.http.blueprint import Blueprint
from project.http.guards import actor, session_id
from project.http.schemas import Query
from project.sessions import service
from project.sessions.models import Session
from project.sessions.schemas import SessionOut

blp = Blueprint("sessions", __name__, description="Where one is signed in.")


@blp.get("/")
@blp.signed_in
@blp.page(SessionOut, Query, service.SORTABLE, order="-id")
def list_sessions() -> Select[Session]:
    """List one's own sessions"""
    return service.of_user(actor().id, session_id())


@blp.delete("/<id:id>")
@blp.signed_in
@blp.nothing
@blp.refuses(NotFound("Session with id 9 not found"))
def delete_session(id: int) -> None:
    """End one of one's own sessions

    Its access tokens die with it, at once.
    """
    service.end(id, actor().id)
