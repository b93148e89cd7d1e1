"""A room's door: views are declared by decorators which enforce and document at once.

@blp.post("/")
@blp.signed_in
@blp.arguments(ProductIn)
@blp.created(ProductOut, at="products.get_product")
@blp.refuses(Refused)
def create_product(values): ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import flask_smorest
from flask import Response, jsonify, url_for

from project import errors
from project.http import (
    downloads,
    etag,
    guards,
    idempotency,
    limits,
    openapi,
    pages,
    problems,
    uploads,
)
from project.http.body import Parser
from project.http.schemas import Query, Schema

View = Callable[..., Any]
Decorator = Callable[[View], View]

OWN = {"id": "id"}
LIMITS = dict.fromkeys((guards.public, guards.optionally_signed_in), ("user", "anonymous"))


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with our guards, our parser and our answers."""

    ARGUMENTS_PARSER = Parser()

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
        """Read the body, or with `location="query"` keyword arguments from the query string."""
        keywords = {"as_kwargs": True} if location == "query" else {}
        decorate: Decorator = super().arguments(schema(), location=location, **keywords, **kwargs)
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

    def item(
        self,
        schema: type[Schema],
        status: int = 200,
        *,
        at: str = "",
        place: Mapping[str, str] = OWN,
        tagged: bool = True,
    ) -> Decorator:
        """Answer one item with its ETag and, where `at` names its view, its Location.

        place: which of its attributes stand where in that address.
        tagged: whether it has a version to make an ETag of.
        """
        out = schema()

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                item = view(*args, **kwargs)
                if isinstance(item, Response):  # see `or_document`
                    return item
                response = jsonify(out.dump(item))
                response.status_code = status
                if at:
                    response.headers["Location"] = _location(at, place, item)
                return etag.answer(response, item) if tagged else response

            headers = openapi.item_headers(located=bool(at), tagged=tagged)
            documented: View = self.response(status, out, headers=headers)(answered)
            return documented

        return decorate

    def created(self, schema: type[Schema], *, at: str) -> Decorator:
        """Answer 201 with the new item and where it lives: the endpoint `at`."""
        return self.item(schema, 201, at=at)

    def page(
        self, schema: type[Schema], query: type[Query], columns: pages.Columns, order: str = "id"
    ) -> Decorator:
        """Answer a page of the Select that the view returns; `columns` may be sorted by.

        order: the `sort` that holds unless another is asked for.
        """
        page = pages.page_schema(schema)()
        read = self.arguments(pages.query_schema(query, columns, order), "query")

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Any:
                wanted = {name: kwargs.pop(name) for name in pages.PARAMETERS if name in kwargs}
                return pages.read(view(*args, **kwargs), columns, **wanted)

            answered = self.response(200, page)(answered)
            found: View = read(answered)
            return found

        return decorate

    def download(
        self, schema: type[Schema], query: type[Query], names: Sequence[str], filename: str
    ) -> Decorator:
        """Answer the Select that the view returns as a file of these fields, however long.

        names: fields of the schema, the id first.
        """
        out = schema()
        read = self.arguments(downloads.query_schema(query), "query")

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                wanted = {name: kwargs.pop(name) for name in downloads.PARAMETERS}
                return downloads.answer(view(*args, **kwargs), out, names, filename, **wanted)

            for media in downloads.documented(out, names):
                answered = self.response(200, {"type": "string"}, **media)(answered)
            found: View = read(answered)
            return found

        return decorate

    def document(self, schema: type[Schema]) -> Decorator:
        """Answer 200 with a document that is no item of its own."""
        decorate: Decorator = self.response(200, schema())
        return decorate

    def or_document(self, schema: type[Schema], of: type) -> Decorator:
        """Answer 200 with this document where the view, from its place on, returns one of these."""
        out = schema()

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Any:
                found = view(*args, **kwargs)
                return jsonify(out.dump(found)) if isinstance(found, of) else found

            documented: View = self.alt_response(200, schema=out, success=True)(answered)
            return documented

        return decorate

    def nothing(self, view: View) -> View:
        """Answer 204."""
        documented: View = self.response(204)(view)
        return documented

    def accepted(self, view: View) -> View:
        """Answer 202 and nothing else: what was asked for happens later, or does not."""

        @wraps(view)
        def answered(*args: Any, **kwargs: Any) -> Response:
            view(*args, **kwargs)
            return Response(status=202)

        documented: View = self.response(202)(answered)
        return documented

    def queued(self, schema: type[Schema]) -> Decorator:
        """Answer 202 with the job that will do it, and where to ask how far it is."""
        return self.item(schema, 202, at="jobs.get_job", tagged=False)

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
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                guard()
            except errors.Forbidden:  # of somebody we know: a request like any other
                self._count()
                raise
            self._count()
            return view(*args, **kwargs)

        openapi.note(guarded, "refusals", families)
        openapi.note(guarded, "limits", LIMITS.get(guard, ("user",)) if self._counted else ())
        openapi.note(guarded, "guard", guard.__name__)
        openapi.note(guarded, "operation", view.__name__)
        return guarded

    def _count(self) -> None:
        if self._counted:
            limits.count_request()


def _location(at: str, place: Mapping[str, str], item: Any) -> str:
    return url_for(at, **{part: getattr(item, name) for part, name in place.items()})
