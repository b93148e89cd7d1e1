"""A room's door: views are declared by decorators which enforce and document at once.

@blp.post("/")
@blp.signed_in
@blp.arguments(UserIn)
@blp.created(UserOut, at="users.get_user")
@blp.refuses(Refused)
def create_user(values): ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import request

from project import errors, origin
from project.db import abandon
from project.http import body, guards, idempotency, limits, openapi, problems, uploads, watchers
from project.http.answers import Answers, Decorator, View
from project.http.schemas import Schema

LIMITS = dict.fromkeys((guards.public, guards.optionally_signed_in), ("user", "anonymous"))


class Blueprint(Answers):
    """flask-smorest's blueprint with our guards, our parser and our answers."""

    def __init__(
        self, name: str, import_name: str, *, description: str, counted: bool = True
    ) -> None:
        """counted: whether requests count for the limits of users and addresses."""
        super().__init__(name, import_name, description=description)
        self._prepare_doc_cbks.append(openapi.complete)
        self._counted = counted

    def public(self, view: View) -> View:
        """Anybody may call."""
        return self._guarded(view, guards.public)

    def optionally_signed_in(self, view: View) -> View:
        """Anybody may call, and who is signed in may see more; documents 401 for bad tokens."""
        return self._guarded(view, guards.optionally_signed_in, problems.InvalidToken)

    def signed_in(self, view: View) -> View:
        """Any active user may call; documents 401."""
        return self._guarded(view, guards.signed_in, errors.Unauthorized)

    def self_or_superuser(self, view: View) -> View:
        """Only the user whose id is in the address, and superusers; documents 401 and 403."""
        families = (errors.Unauthorized, guards.OnlySelf)
        return self._guarded(view, guards.self_or_superuser, *families)

    def superuser(self, view: View) -> View:
        """Only superusers may call; documents 401 and 403."""
        return self._guarded(view, guards.superuser, errors.Unauthorized, errors.OnlySuperusers)

    def watcher(self, view: View) -> View:
        """Programs on the same machine, and whoever has METRICS_TOKEN; documents 401 and 403."""
        families = (watchers.NoMetricsToken, watchers.OnlyHere)
        return self._guarded(view, watchers.watcher, *families)

    def once(self, view: View) -> View:
        """Do what comes with an Idempotency-Key once; put it right below the guard."""
        return self._once(view, "")

    def once_for(self, group: str) -> Decorator:
        """As `once`, and a key must be sent where REQUIRE_IDEMPOTENCY_KEY names the group."""
        return lambda view: self._once(view, group)

    def limited(self, name: str, by: Callable[..., object] | None = None) -> Decorator:
        """Count calls for the limit RATELIMIT_<NAME>, by address or by what `by` makes of them.

        It sees what the view sees from its place on: put it below `arguments`.
        """

        def decorate(view: View) -> View:
            @wraps(view)
            def limited(*args: Any, **kwargs: Any) -> Any:
                key = limits.network() if by is None else limits.hashed(by(*args, **kwargs))
                limits.count(name, key)
                return view(*args, **kwargs)

            openapi.note(limited, "limits", (name,))
            return limited

        return decorate

    def arguments(self, schema: type[Schema], location: str = "json", **kwargs: Any) -> Decorator:
        """Read the body, or with `location="query"` keyword arguments from the query string.

        The library documents it; it would read by means of webargs, which costs as much again.
        """
        read = schema()
        document: Decorator = super().arguments(read, location=location, **kwargs)

        def decorate(view: View) -> View:
            @wraps(view)
            def handed(*args: Any, **kwargs: Any) -> Any:
                values = body.arguments(request, read, location)
                if location == "query":
                    return view(*args, **values, **kwargs)
                return view(*args, values, **kwargs)

            return self.documented(handed, document)

        return decorate

    def upload(self, media: str, example: str) -> Decorator:
        """Hand the view the file that was sent, before all else; `example` is one of this type."""

        def decorate(view: View) -> View:
            @wraps(view)
            def handed(*args: Any, **kwargs: Any) -> Any:
                return view(uploads.file(), *args, **kwargs)

            openapi.note(handed, "upload", uploads.documented(media, example))
            return handed

        return decorate

    def refuses(self, *families: type[errors.Refusal] | errors.Refusal) -> Decorator:
        """Document refusals that only this view knows of: a family, or an example of it."""

        def decorate(view: View) -> View:
            openapi.note(view, "refusals", families)
            return view

        return decorate

    def _once(self, view: View, group: str) -> View:
        answered = idempotency.once(view, f"{self.name}.{view.__name__}", group)
        required = (idempotency.KeyRequired,) if group else ()
        openapi.note(answered, "refusals", (*required, *idempotency.REFUSALS))
        openapi.note(answered, "once", True)
        return answered

    def _guarded(self, view: View, guard: guards.Guard, *families: type[errors.Refusal]) -> View:
        by_statement = "shaped" in getattr(view, "_apidoc", {})

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                guard()
            except errors.Forbidden:  # of somebody we know: a request like any other
                self._count()
                raise
            self._count()
            if not by_statement:
                origin.confirm()
            try:
                answer = view(*args, **kwargs)
            except errors.Refusal:  # of which only somebody we know shall hear
                if origin.claimed() is not None:
                    abandon()
                    origin.confirm()
                raise
            origin.confirm()
            return answer

        openapi.note(guarded, "refusals", families)
        openapi.note(guarded, "limits", LIMITS.get(guard, ("user",)) if self._counted else ())
        openapi.note(guarded, "guard", guard.__name__)
        openapi.note(guarded, "operation", view.__name__)
        return guarded

    def _count(self) -> None:
        if self._counted:
            limits.count_request()
