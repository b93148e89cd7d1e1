"""Several processes that count together: each in files of its own, which whoever is asked adds up.

The files are those of the library's multiprocess mode, but they belong to a slot and not to a
process: a number that no other living worker has. Who takes the slot of one that has ended counts
on from there, so that nothing is lost, and there are as many files as workers were alive at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from config import NAME
from project import meters

PREFIX = f"{NAME}-metrics-"
KINDS = ("counter", "histogram", "gauge_livesum")
SIZE = 1_048_576  # bytes of a file, written in advance: one that grows is not, on a full disk
ALONE = -2  # the slot of a worker that has none
YOUNG = 60  # seconds in which a folder may not be held yet


class Shared:
    """Where this process and its siblings write; none while it is alone."""

    folder: Path | None = None
    slot = -1  # the master's, which counts nothing


def begin(uid: int, gid: int) -> None:
    """In the master, before any worker: make the folder, for this user's workers; raises OSError.

    It is held by a lock for as long as any of us lives, and what nobody holds any more, because
    the master was killed, is removed by the next one.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is another user's, or held
            if left.stat().st_mtime < time.time() - YOUNG:
                os.close(_hold(left))
                shutil.rmtree(left)
    Shared.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    os.chown(Shared.folder, uid, gid)
    _hold(Shared.folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(Shared.folder)
    values.ValueClass = values.MultiProcessValue(lambda: Shared.slot)


def place(worker: Any, others: Any) -> None:
    """In the master, before a worker is forked: give it the first slot that is free.

    Where nothing can be written it gets none, and counts alone.
    """
    taken = {other.slot for other in others}
    worker.slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)
    try:
        _furnish(worker)
    except OSError as error:
        worker.log.warning("A worker counts alone: %s", error)
        worker.slot = ALONE


def _furnish(worker: Any) -> None:
    leave(worker)
    for kind in KINDS:  # by renaming, so that who reads meanwhile finds none, or a whole one
        file = _folder() / f"{kind}_{worker.slot}.db"
        if not file.exists():
            draft = file.with_suffix(".draft")
            draft.write_bytes(bytes(SIZE))
            os.chown(draft, worker.cfg.uid, worker.cfg.gid)
            draft.rename(file)


def enter(worker: Any) -> None:
    """In the worker: count in its slot from here on."""
    Shared.slot = worker.slot
    if worker.slot == ALONE:
        Shared.folder, values.ValueClass = None, values.MutexValue


def leave(worker: Any) -> None:
    """In the master, when a worker has ended: what it measured is over, what it counted stays."""
    if worker.slot != ALONE:
        mark_process_dead(worker.slot, str(_folder()))


def end() -> None:
    """In the master, when all have ended."""
    shutil.rmtree(_folder(), ignore_errors=True)


def collected() -> Any:
    """What all of us have counted, for the library to write out."""
    if Shared.folder is None or not Shared.folder.is_dir():  # it was tidied away
        return meters.REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(Shared.folder))
    return registry


def _folder() -> Path:
    assert Shared.folder is not None  # because `begin` comes first
    return Shared.folder


def _hold(folder: Path) -> int:
    """Lock it until all who have the descriptor have ended; raises OSError if others hold it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
