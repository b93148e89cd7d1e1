"""The README tells the truth about settings, commands and places."""

from __future__ import annotations

import dataclasses
import re
import subprocess

import click
import pytest

from config import ROOT, Config
from project.http.app import App

README = (ROOT / "README.md").read_text()
[PHONY] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
TARGETS = PHONY.split()


@pytest.mark.parametrize("setting", [field.name.upper() for field in dataclasses.fields(Config)])
def test_every_setting_is_listed(setting: str) -> None:
    assert re.search(rf"^\| `{setting}` \|", README, re.MULTILINE)


def test_no_setting_is_listed_that_does_not_exist() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert listed == {field.name.upper() for field in dataclasses.fields(Config)}


def test_every_default_is_as_listed() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    for name, default in defaults.items():
        if default in (None, "", (), dataclasses.MISSING) or name == "data_dir":
            continue
        default = str(default).lower() if isinstance(default, bool) else default
        assert re.search(rf"^\| `{name.upper()}` \| `{default}` \|", README, re.MULTILINE), name


def test_every_command_of_ours_is_listed(app: App) -> None:
    for name, command in app.cli.commands.items():
        if not getattr(command.callback or command, "__module__", "").startswith("project"):
            continue
        names = command.commands if isinstance(command, click.Group) else [""]
        for each in names:
            assert f"flask {name} {each}".strip() in README


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_is_listed_and_there(target: str) -> None:
    assert f"make {target}" in README
    dry = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
    assert dry.returncode == 0


def test_every_place_named_is_there() -> None:
    named = r"^\| `((?:project|tests|migrations|docs)[\w/.-]*)` \|"
    places = re.findall(named, README, re.MULTILINE)
    assert len(places) > 5
    assert [place for place in places if not (ROOT / place).exists()] == []
