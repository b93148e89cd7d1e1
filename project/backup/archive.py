"""The file of a backup: what pg_dump wrote, then what that holds, then a digest of all before it.

`pg_restore` reads the first part and no further, so that in need it does without us.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from config import NAME, TITLE
from project.errors import Refused

FOOTER = f"\n{NAME} backup 1, {{size:010d}} bytes of manifest, sha256 {{digest}}\n"
DIGEST = 64  # hexadecimal digits of SHA-256
SIZE = len(FOOTER.format(size=0, digest="0" * DIGEST))
SEALED = re.compile(
    FOOTER.format_map({"size": 0, "digest": "([0-9a-f]{64})"})
    .replace("0000000000", r"([0-9]{10})")
    .encode()
)


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: the revision of its schema, when it was made and by the programs of
    which PostgreSQL, and how many rows of which tables, named as SQL names them.
    """

    revision: str
    made_at: str
    programs: int
    rows: dict[str, int]


def seal(path: Path, manifest: Manifest) -> None:
    """Append manifest and digest to a dump, and have all of it on the disk."""
    told = json.dumps(asdict(manifest)).encode()
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256")
        head = FOOTER.format(size=len(told), digest="").encode().rstrip(b"\n")
        digest.update(told + head)
        file.seek(0, os.SEEK_END)
        file.write(told + head + digest.hexdigest().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def unseal(path: Path) -> Manifest:
    """What it holds; refuses what is no backup, or has changed by one byte since it was sealed."""
    try:
        if path.exists() and not path.is_file():
            raise Refused(f"{path} is no file.")
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - SIZE))
            found = SEALED.fullmatch(file.read())
            if found is None:
                raise Refused(f"{path} is no backup of {TITLE}, or its end is missing.")
            if _digest(file, size - DIGEST - 1) != found[2].decode():
                raise Refused(f"{path} is damaged: it is not as it was written.")
            file.seek(size - SIZE - int(found[1]))
            told: dict[str, Any] = json.loads(file.read(int(found[1])))
    except OSError as error:
        raise Refused(f"Cannot read {path}: {error.strerror}.") from error
    return Manifest(**told)


def _digest(file: Any, length: int) -> str:
    """Of so many bytes from the beginning."""
    digest, left = hashlib.sha256(), length
    file.seek(0)
    while left and (piece := file.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()
