"""`flask new`: what begins something new."""

from __future__ import annotations

from project.commands import Group
from project.scaffold.projects.command import project

new = Group("new", help="Begin something new.")
new.add_command(project)
