"""/docs: everything it needs comes from here, and the policy allows nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png"}


class Names(HTMLParser):
    """Collects what a page loads, and what a strict policy would not let it do."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := given.get(name))]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []


@pytest.fixture
def names(client: FlaskClient) -> Names:
    parser = Names()
    parser.feed(client.get("/docs", buffered=True).get_data(as_text=True))
    return parser


@pytest.mark.parametrize("address", ["/docs", "/docs/"])
def test_the_page_is_there_with_and_without_a_slash(client: FlaskClient, address: str) -> None:
    answer = client.get(address, buffered=True)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"


def test_everything_it_loads_is_local_and_of_its_type(client: FlaskClient, names: Names) -> None:
    assert len(names.loaded) == 4
    for address in names.loaded:
        assert re.fullmatch(r"/docs/[a-z0-9-]+\.(js|css|png)", address)
        answer = client.get(address, buffered=True)
        assert (answer.status_code, answer.mimetype) == (200, TYPES[address.rpartition(".")[2]])
        assert len(answer.get_data()) > 100


def test_nothing_in_it_is_inline(names: Names) -> None:
    assert names.inline == []


def test_it_reads_our_document_and_asks_no_validator(client: FlaskClient) -> None:
    script = client.get("/docs/start.js", buffered=True).get_data(as_text=True)
    [document] = re.findall(r'\burl: "([^"]+)"', script)
    assert client.get(document).mimetype == "application/json"
    assert "validatorUrl: null," in script  # else the browser asks another host
    assert "//" not in re.sub(r"// .*", "", script)


@pytest.mark.parametrize("address", ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/x"])
def test_every_answer_carries_the_policy(client: FlaskClient, address: str) -> None:
    headers = client.get(address, buffered=True).headers
    assert headers.getlist("Content-Security-Policy") == [POLICY]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "name",
    ["x", "docs.html", "oauth2-redirect.html", "../docs.py", "..%2fdocs.py", "%2e%2e/docs.py",
     "a/start.js", ".", "..", "/etc/passwd", "start.js%00"],
)  # fmt: skip
def test_other_files_are_not_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/docs/{name}", buffered=True)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
