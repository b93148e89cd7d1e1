"""What deploy/ asks Prometheus for is what a running server tells."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from config import NAME, ROOT
from tests.server import Server

DEPLOY = ROOT / "deploy"
BOARD: Any = json.loads((DEPLOY / "grafana.json").read_text())
RULES: Any = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
ALERTS: Any = [rule for group in RULES["groups"] for rule in group["rules"]]
ASKED = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
ASKED += [variable["query"] for variable in BOARD["templating"]["list"]]
SUFFIX = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def told(text: str) -> set[str]:
    """The names of all samples that there may be."""
    types = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    return {name.removesuffix("_total") + suffix for name, kind in types for suffix in SUFFIX[kind]}


def named(expressions: list[str]) -> set[str]:
    return {name for each in expressions for name in re.findall(rf"{NAME}_\w+", each)}


def test_every_metric_that_is_asked_for_is_told(server: Server) -> None:
    """Those of several processes are told once something was counted."""
    server.call("GET", "/api/v1/users/me")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    there = told(server.call("GET", "/metrics")[1]) | {
        f"{NAME}_downloads_total",  # counted by tests/metrics/test_counting.py
        f"{NAME}_database_errors_total",
    }
    assert named(ASKED) > {f"{NAME}_database_up", f"{NAME}_http_requests_total"}
    assert named(ASKED) - there == set()
    assert named([rule["expr"] for rule in ALERTS]) - there == set()


def test_whatever_is_told_is_shown(server: Server) -> None:
    shown = {re.sub("_(total|bucket|sum|count)$", "", name) for name in named(ASKED)}
    server.call("GET", "/api/v1/users/me")
    there = re.findall(r"^# TYPE (\w+) \w+$", server.call("GET", "/metrics")[1], re.MULTILINE)
    assert {re.sub("_total$", "", name) for name in there} - shown == set()


def test_every_alert_tells_a_person_what_it_means() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) > 8
    for rule in ALERTS:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_job_of_the_scrape_is_the_one_that_is_watched() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    [job] = [config["job_name"] for config in scrape["scrape_configs"]]
    assert job == NAME
    assert {word for rule in ALERTS for word in re.findall('job="(\\w+)"', rule["expr"])} == {job}
    assert scrape["rule_files"] == ["alerts.yml"]


def test_panels_have_places_of_their_own() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)
