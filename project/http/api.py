"""The OpenAPI document: flask-smorest's, at version 3.1, with our fields and our answers."""

from __future__ import annotations

from typing import Any

import flask_smorest
import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from marshmallow import fields

from config import ABOUT, NAME, TITLE
from project.http import idempotency
from project.http.app import IdConverter
from project.http.fields import Int, Text, Value
from project.http.openapi import SOME_ID
from project.http.schemas import Patch

DESCRIPTION = f"""{ABOUT}

Sign in with `POST /api/v1/auth/login` and send the access token as `Authorization: Bearer …`.
Refusals are problem documents (RFC 9457). Every answer carries `X-Request-Id`: the one sent, if
it is valid, else a new one. An address answers with and without its trailing slash. Strings are
trimmed and NFC-normalised before they are measured."""

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The access token of `POST /api/v1/auth/login`.",
}

METRICS_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "`METRICS_TOKEN` of the service; not needed on its own machine.",
}


def _text(description: str, example: str, **limits: str) -> dict[str, Any]:
    return {
        "description": description,
        "schema": {"type": "string", **limits},
        "example": example,
    }


# No examples: the page would send them along unasked.
PARAMETERS = {
    "If-Match": {
        "description": 'Change only this version: an `ETag` answered before (`"1-1"`), or `*`.',
        "schema": {"type": "string", "pattern": r'^(\*|"[!#-~]*"( *, *"[!#-~]*")*)$'},
    },
    "Idempotency-Key": {
        "description": "A name of this request: sent again within 24 hours, it is not done again "
        "but answered again, with `Idempotent-Replayed: true`.",
        "schema": {"type": "string", "pattern": f"^{idempotency.KEY}$"},
    },
    "If-None-Match": {
        "description": 'Answer only another version than this `ETag` (`"1-1"`).',
        "schema": {"type": "string"},
    },
}
HEADERS = {
    "RequestId": _text("Names this request in the logs.", SOME_ID, pattern="^[!-~]{1,128}$"),
    "ETag": _text(
        "The version answered (strong).", '"1-1"', pattern='^"[0-9]+-[0-9]+(-[0-9a-z]+)?"$'
    ),
    "Location": _text("Where the new item lives.", "/api/v1/users/1", format="uri-reference"),
    "RetryAfter": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "RateLimit": _text(
        "The limit that is reached, requests left, and seconds until it is not.",
        '"login";r=0;t=120',
        pattern='^"[a-z_]+";r=0;t=[0-9]+$',
    ),
    "RateLimitPolicy": _text(
        "The limit that is reached: how many, in a window of how many seconds.",
        '"login";q=10;w=300',
        pattern='^"[a-z_]+";q=[0-9]+;w=[0-9]+$',
    ),
    "Challenge": _text("How to sign in (RFC 6750).", f'Bearer realm="{NAME}"'),
}


class FieldProblem(ma.Schema):
    """What is wrong with one field, or with one line of many."""

    in_ = Text(max=20, data_key="in", required=True, dump_only=True, example="body")
    field = Text(max=100, required=True, dump_only=True, example="price")
    code = Text(max=50, required=True, dump_only=True, example="out_of_range")
    message = Text(
        max=255, required=True, dump_only=True, example="Must be between 0.01 and 99999999.99."
    )


class Problem(ma.Schema):
    """A refusal (RFC 9457): `detail` is for a person, `code` for a program. There may be more
    members, such as `conflict`, the item that has the name already.
    """

    class Meta:
        unknown = ma.INCLUDE

    type = Text(max=255, required=True, dump_only=True, example="/problems/not-found")
    title = Text(max=255, required=True, dump_only=True, example="Not found")
    status = Int(required=True, dump_only=True, example=404)
    detail = Text(max=1000, required=True, dump_only=True, example="User with id 9 not found")
    code = Text(max=50, required=True, dump_only=True, example="not_found")
    request_id = Text(max=128, required=True, dump_only=True, example=SOME_ID)
    errors = fields.List(fields.Nested(FieldProblem), dump_only=True)


class Converter(OpenAPIConverter):
    """Schemas speak for themselves: in their docstring, and a change has something to change."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        convert: Any = super().schema2jsonschema  # apispec is typed in parts
        described = convert(schema)
        sentence = " ".join((type(schema).__doc__ or "").split())
        least = {"minProperties": 1} if isinstance(schema, Patch) else {}
        return {**({"description": sentence} if sentence else {}), **described, **least}


class Plugin(MarshmallowPlugin):
    """apispec's reader of schemas, with our converter."""

    Converter = Converter


class Api(flask_smorest.Api):
    """Documents every room; refusals are not its business (see problems.py)."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def init_app(self, app: Flask, **_: Any) -> None:
        app.config.update(
            API_TITLE=TITLE,
            API_VERSION="1.0.0",
            OPENAPI_VERSION="3.1.0",
            OPENAPI_URL_PREFIX="/api/v1",
        )
        info = {"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}}
        spec = {"info": info, "servers": [{"url": "/"}], "marshmallow_plugin": Plugin()}
        super().init_app(app, spec_kwargs=spec)
        self.register_converter(IdConverter, _id_schema)
        self.ma_plugin.converter.add_attribute_function(_describe)
        components = self.spec.components
        components.security_scheme("bearer", BEARER)
        components.security_scheme("metrics_token", METRICS_TOKEN)
        components.schema("Problem", schema=Problem)
        for name, header in HEADERS.items():
            components.header(name, {**header, "required": True})
        for name, parameter in PARAMETERS.items():
            components.parameter(name.replace("-", ""), "header", {"name": name, **parameter})

    def _register_error_handlers(self) -> None:
        """None of its own."""

    def _register_responses(self) -> None:
        """Nor its own schema of errors: see `openapi.complete`."""

    def _register_etag_headers(self) -> None:
        """Nor its check of versions: see `etag.py`."""

    def _register_pagination_header(self) -> None:
        """Nor its pages: see `pages.py`."""


def _describe(converter: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    return field.describe() if isinstance(field, Value) else {}


def _id_schema(converter: IdConverter) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "minimum": 1, "examples": [1]}
