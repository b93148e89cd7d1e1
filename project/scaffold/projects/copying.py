"""A copy of the house under another title, without the rooms that one does not want."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from config import NAME, ROOT, TITLE
from project.errors import Refused
from project.scaffold.projects import migrations, prose
from project.scaffold.projects.pruning import prune
from project.scaffold.projects.rooms import TRACES, Traces, words

# What may name a room that it can do without; all other code that stays is not touched.
NAMING = ("project/features.py", "project/welcome.py", "project/scaffold/projects/rooms.py")
VERBS = {"status", "ls-files", "init", "add", "commit"}
ABOUT = re.compile(r"^(TITLE|NAME|ABOUT) = \"[^\"]*\"", re.MULTILINE)
BEGUN = """# Changelog

## Unreleased

- Begun from {origin}, with all that every room of it inherits.
"""
WELCOME = """# {title}

{title} is a REST backend on PostgreSQL, begun from {origin}: the next resource is four small files
and inherits every guarantee of the first. Every refusal is one clear sentence in one shape, and odd
input never ends in a 500."""


def copy(
    files: Iterable[str], directory: Path, title: str, name: str, rooms: Collection[str]
) -> None:
    """Write it, whole or not at all, with the first commit of a repository of its own."""
    with _beside(directory) as draft:
        _copy_files(files, draft, rooms)
        _retitle(draft, title, name)
        if rooms:
            _leave_out(draft, rooms)
        _tidy(draft)
        _commit(draft, f"{title}: begun from {TITLE}")


def tracked() -> list[str]:
    """What git has of this house; refuses where that is not all there is."""
    try:
        changed = _git(ROOT, "status", "--porcelain")
        files = _git(ROOT, "ls-files", "-z").split("\0")
    except (OSError, Refused):
        raise Refused(f"{ROOT} is no repository of git: only what git has is copied.") from None
    if changed:
        raise Refused(
            "There are changes that are not committed: commit them or put them aside, since only "
            "what git has is copied."
        )
    return [file for file in files if file]


@contextmanager
def _beside(directory: Path) -> Iterator[Path]:
    """A folder that becomes this one in the end, and is gone when anything goes wrong."""
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise Refused(f"{directory} cannot be written: {error.strerror}.") from None
    try:
        yield draft
        draft.chmod(0o755)
        draft.rename(directory)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError):
            raise Refused(f"{directory} cannot be written: {error.strerror}.") from None
        raise


def _copy_files(files: Iterable[str], draft: Path, rooms: Collection[str]) -> None:
    patterns = [pattern for room in rooms for pattern in TRACES.get(room, Traces()).files]
    for file in files:
        place = Path(file).parts
        own = place[0] in ("project", "tests") and place[1] in rooms
        if own or any(fnmatch(file, pattern) for pattern in patterns):
            continue
        (draft / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, draft / file)


def _retitle(draft: Path, title: str, name: str) -> None:
    """Say the title wherever this one's is said; what is about the beginning names both."""
    about = {"TITLE": title, "NAME": name, "ABOUT": f"The REST API of {title}."}
    _edit(
        draft / "config.py", lambda text: ABOUT.sub(lambda it: f'{it[1]} = "{about[it[1]]}"', text)
    )
    said_in = [*draft.rglob("*.md"), draft / ".env.example", *draft.glob("migrations/versions/*")]
    for path in said_in:  # all code derives it from config.py; figures are of whom they were taken
        if path.name == "benchmarks.md":
            continue
        text = re.sub(rf"(?<!\w){TITLE}(?!\w)", title, path.read_text())
        path.write_text(re.sub(rf"(?<![\w.]){NAME}(?=[@._]|$)", name, text, flags=re.MULTILINE))
    for path in draft.glob("deploy/*"):  # names of metrics begin with it
        _edit(path, lambda text: text.replace(TITLE, title).replace(NAME, name))
    said = WELCOME.format(title=title, origin=TITLE)
    _edit(
        draft / "README.md",
        lambda text: re.sub(r"\A# .*?(?=\n## )", f"{said}\n\n", text, flags=re.DOTALL),
    )
    (draft / "CHANGELOG.md").write_text(BEGUN.format(origin=TITLE))


def _leave_out(draft: Path, rooms: Collection[str]) -> None:
    named = words(rooms)
    settings = [name for room in rooms for name in TRACES.get(room, Traces()).settings]
    set_by = re.compile("|".join([named.pattern, *settings, *map(str.lower, settings)]))
    migrations.thin(draft / "migrations" / "versions", named)
    _prune(draft, named, set_by)
    idle = prose.idle((draft / "Makefile").read_text(), draft)
    told = re.compile("|".join([set_by.pattern, *(rf"make {target}\b" for target in idle)]))
    for path in draft.rglob("*.md"):
        _edit(path, lambda text: prose.markdown(text, told))
    _edit(draft / ".env.example", lambda text: _lines(text, set_by))
    _edit(draft / "Makefile", lambda text: prose.makefile(text, idle))
    _edit(draft / "pyproject.toml", lambda text: prose.contracts(text, draft / "project"))
    shortened = ("schemathesis.toml", "deploy/*.conf", "deploy/*.yml")
    for path in (path for pattern in shortened for path in draft.rglob(pattern)):
        _edit(path, lambda text: prose.paragraphs(text, named))
    for path in draft.glob("deploy/*.json"):
        _edit(path, lambda text: prose.dashboard(text, named))
    for room in rooms:
        for file, more in TRACES.get(room, Traces()).instead:
            _edit(draft / file, lambda text, more=more: text + more)  # type: ignore[misc]


def _prune(draft: Path, named: re.Pattern[str], set_by: re.Pattern[str]) -> None:
    """Every module, again and again, since what has gone from one is missed by others."""
    names = (file for file in NAMING if (draft / file).exists())
    paths = [draft / "config.py", *(draft / file for file in names), *draft.glob("tests/**/*.py")]
    gone: dict[Path, set[str]] = {path: set() for path in paths}
    while True:
        before = {path: set(names) for path, names in gone.items()}
        for path in [path for path in paths if path.exists()]:
            known = set_by if path.name in ("config.py", "test_config.py") else named
            source = path.read_text()
            pruned = prune(source, known, gone[path] | _missed(draft, path, gone))
            gone[path] |= pruned.gone
            if pruned.source != source and pruned.empty and path.name != "__init__.py":
                path.unlink()
            else:
                path.write_text(pruned.source)
        if gone == before:
            return


def _missed(draft: Path, path: Path, gone: dict[Path, set[str]]) -> set[str]:
    """Names that this module had from others, and fixtures it had from above."""
    found: set[str] = set()
    for module, names in re.findall(
        r"^from ([\w.]+) import (\([^)]*\)|[^\n]*)", path.read_text(), re.M
    ):
        there = draft.joinpath(*module.split(".")).with_suffix(".py")
        away = gone.get(there, set())
        found |= {name for name in re.findall(r"\w+", names) if name in away}
    above = (folder / "conftest.py" for folder in path.parents if folder != draft.parent)
    for conftest in above:
        if conftest != path:
            found |= {name for name in gone.get(conftest, ()) if name.islower()}
    return found


def _tidy(draft: Path) -> None:
    """As the linter wants it: imports that nobody uses any more go too."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--fix", "--select", "F401,I"], ["format"]):
        subprocess.run([ruff, *command, "--quiet", "."], cwd=draft, check=True)
    for cache in draft.rglob(".ruff_cache"):
        shutil.rmtree(cache)


def _commit(draft: Path, sentence: str) -> None:
    _git(draft, "init", "--quiet", "--initial-branch=main")
    _git(draft, "add", "--all")
    known = subprocess.run(
        ["git", "config", "user.email"], cwd=draft, check=False, capture_output=True
    )
    who = [] if known.stdout else ["-c", f"user.name={NAME}", "-c", f"user.email={NAME}@localhost"]
    _git(draft, *who, "commit", "--quiet", "--message", sentence)


def _git(where: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments], cwd=where, check=False, capture_output=True, text=True
    )
    if ran.returncode:
        [verb] = [each for each in arguments if each in VERBS]
        said = ran.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise Refused(f"git {verb} failed: {said[0]}.")
    return ran.stdout


def _edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def _lines(text: str, words: re.Pattern[str]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not words.search(line))
