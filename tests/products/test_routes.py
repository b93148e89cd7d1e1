"""The products section of the contract, call by call."""

from __future__ import annotations

from flask.testing import FlaskClient

URL = "/api/v1/products/"


def test_a_created_product_is_answered_whole(
    client: FlaskClient, signed_in: dict[str, str]
) -> None:
    answer = client.post(URL, json={"name": " Lamp ", "price": "29.9"}, headers=signed_in)
    assert answer.status_code == 201
    assert answer.json is not None
    assert list(answer.json) == [
        "id",
        "name",
        "description",
        "price",
        "stock",
        "is_active",
        "version",
        "created_at",
        "updated_at",
    ]
