"""What a view answers: decorators that make a response of what it returns, and document it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import flask_smorest
from flask import Response, current_app, jsonify
from flask.globals import request_ctx

from project.db import UNKNOWN, Counts, Lookup, Written
from project.http import documents, downloads, etag, openapi, pages
from project.http.orders import Columns
from project.http.response import Document
from project.http.schemas import Query, Schema

View = Callable[..., Any]
Decorator = Callable[[View], View]

OWN = {"id": "id"}


class Answers(flask_smorest.Blueprint):
    """The part of a blueprint that stands between a view and its caller on the way out."""

    def item(
        self,
        schema: type[Schema],
        status: int = 200,
        *,
        at: str = "",
        place: Mapping[str, str] = OWN,
        tagged: bool = True,
        shaped: bool = False,
    ) -> Decorator:
        """Answer one item with its ETag and, where `at` names its view, its Location.

        place: which of its attributes stand where in that address.
        tagged: whether it has a version to make an ETag of.
        shaped: whether the view hands `shape` to the one statement that finds out who acts, writes
            the item, and answers it.
        """
        out = schema()
        shape = {"shape": documents.Shape(out)} if shaped else {}

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                item = view(*args, **kwargs, **shape)
                if isinstance(item, Response):  # see `or_document`
                    return item
                if isinstance(item, Lookup):
                    item = documents.find(item, out)
                if isinstance(item, Written):
                    response: Response = Document(item.document, status=status)
                else:
                    response = jsonify(out.dump(item))
                    response.status_code = status
                if at:
                    response.headers["Location"] = _location(at, place, item)
                return etag.answer(response, item) if tagged else response

            openapi.note(answered, "written", schema)
            if shaped:
                openapi.note(answered, "shaped", True)
            headers = openapi.item_headers(located=bool(at), tagged=tagged)
            return self.documented(answered, self.response(status, out, headers=headers))

        return decorate

    def created(self, schema: type[Schema], *, at: str, shaped: bool = False) -> Decorator:
        """Answer 201 with the new item and where it lives: the endpoint `at`."""
        return self.item(schema, 201, at=at, shaped=shaped)

    def page(
        self,
        schema: type[Schema],
        query: type[Query],
        columns: Columns,
        order: str = "id",
        *,
        counts: Counts = UNKNOWN,
    ) -> Decorator:
        """Answer a page of the Select that the view returns; `columns` may be sorted by.

        order: the `sort` that holds unless another is asked for.
        counts: what is known of totals without counting.
        """
        page, item = pages.page_schema(schema)(), schema()
        asked = pages.query_schema(query, columns, order)
        usual = {name: field.load_default for name, field in asked().fields.items()}
        read = self.arguments(asked, "query")

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Any:
                wanted = {name: kwargs.pop(name) for name in pages.PARAMETERS if name in kwargs}
                given = frozenset(
                    name for name, value in kwargs.items() if value != usual.get(name)
                )
                found = view(*args, **kwargs)
                return Document(*pages.read(found, item, counts, given, **wanted))

            openapi.note(answered, "written", schema)
            found: View = read(self.documented(answered, self.response(200, page)))
            return found

        return decorate

    @staticmethod
    def documented(view: View, decorate: Decorator) -> View:
        """The view itself, with what the library tells of it: who calls it does not meet that."""
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
        return view

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

    def text(self, content_type: str, example: str) -> Decorator:
        """Answer 200 with a text that is none of our documents."""
        media = {"content_type": content_type.partition(";")[0], "example": example}

        def decorate(view: View) -> View:
            @wraps(view)
            def answered(*args: Any, **kwargs: Any) -> Response:
                found = view(*args, **kwargs)
                return current_app.response_class(found, content_type=content_type)

            return self.documented(answered, self.response(200, {"type": "string"}, **media))

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
            return current_app.response_class(status=202)

        return self.documented(answered, self.response(202))

    def queued(self, schema: type[Schema]) -> Decorator:
        """Answer 202 with the job that will do it, and where to ask how far it is."""
        return self.item(schema, 202, at="jobs.get_job", tagged=False)


def _location(at: str, place: Mapping[str, str], item: Any) -> str:
    adapter: Any = request_ctx.url_adapter  # as `url_for`, which finds out first where it is
    path: str = adapter.build(at, {part: getattr(item, name) for part, name in place.items()})
    return path
