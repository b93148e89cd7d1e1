"""The OpenAPI document: flask-smorest's, at version 3.1, with our fields and our answers."""

from __future__ import annotations

from typing import Any

import flask_smorest
from flask import Flask
from marshmallow import fields

from project.http import openapi
from project.http.app import IdConverter
from project.http.fields import Value

TITLE = "Stockroom"
DESCRIPTION = """A product catalogue with stock, users and posts.

Sign in with `POST /api/v1/auth/login` and send the access token as `Authorization: Bearer …`.
Refusals are problem documents (RFC 9457); every answer carries `X-Request-Id`."""

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The access token of `POST /api/v1/auth/login`.",
}
IF_MATCH = "Change only this version: an `ETag` answered before."
IF_NONE_MATCH = "Answer only if the version is another: an `ETag` answered before."


class Api(flask_smorest.Api):  # type: ignore[misc] - because flask-smorest is untyped
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
        super().init_app(app, spec_kwargs={"info": info, "servers": [{"url": "/"}]})
        self.register_converter(IdConverter, _id_schema)
        self.ma_plugin.converter.add_attribute_function(_describe)
        components = self.spec.components
        components.security_scheme("bearer", BEARER)
        components.schema("Problem", schema=openapi.Problem)
        for name, header in openapi.HEADERS.items():
            components.header(name, header)
        for name, described in (("If-Match", IF_MATCH), ("If-None-Match", IF_NONE_MATCH)):
            schema = {"description": described, "schema": {"type": "string"}, "example": '"1-1"'}
            components.parameter(name.replace("-", ""), "header", {"name": name, **schema})

    def _register_error_handlers(self) -> None:
        """None of its own."""


def _describe(converter: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    return field.describe() if isinstance(field, Value) else {}


def _id_schema(converter: IdConverter) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "minimum": 1, "example": 1}
