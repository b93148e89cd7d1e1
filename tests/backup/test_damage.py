"""A file that is not as it was written is refused before anything is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config import TITLE
from project.backup import archive
from project.errors import Refused
from tests.backup.terminal import Terminal

Change = Callable[[bytes], bytes]
NONE = f" is no backup of {TITLE}, or its end is missing."
DAMAGED = " is damaged: it is not as it was written."


def flipped(place: float) -> Change:
    """One bit of the byte there: a share of the length, or so many bytes from the end."""

    def change(whole: bytes) -> bytes:
        at = int(place) if place < 0 else int(place * len(whole))
        at %= len(whole)
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "the first byte is another": (flipped(0), DAMAGED),
    "a byte of the contents is another": (flipped(0.05), DAMAGED),
    "a byte in the middle is another": (flipped(0.5), DAMAGED),
    "a byte of the manifest is another": (flipped(-archive.SIZE - 40), DAMAGED),
    "the length of the manifest is another": (flipped(-100), DAMAGED),
    "the digest is another": (lambda whole: whole[:-65] + b"0" * 64 + b"\n", DAMAGED),
    "the last byte is another": (flipped(-1), NONE),
    "the last byte is missing": (lambda whole: whole[:-1], NONE),
    "the second half is missing": (lambda whole: whole[: len(whole) // 2], NONE),
    "the first half is missing": (lambda whole: whole[len(whole) // 2 :], DAMAGED),
    "a byte is missing in between": (lambda whole: whole[:5000] + whole[5001:], DAMAGED),
    "something follows": (lambda whole: whole + b"\n", NONE),
    "it is empty": (lambda whole: b"", NONE),
    "only the end is there": (lambda whole: whole[-archive.SIZE :], DAMAGED),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_is_refused_when(how: str, kept: Path, tmp_path: Path) -> None:
    change, said = CHANGES[how]
    path = tmp_path / "file"
    path.write_bytes(change(kept.read_bytes()))
    with pytest.raises(Refused) as refusal:
        archive.unseal(path)
    assert refusal.value.sentence == f"{path}{said}"


def test_each_byte_of_the_end_counts(kept: Path, tmp_path: Path) -> None:
    whole, path = kept.read_bytes(), tmp_path / "file"
    for place in range(1, archive.SIZE + 2):
        path.write_bytes(flipped(-place)(whole))
        with pytest.raises(Refused):
            archive.unseal(path)


def test_nothing_is_written_of_what_is_damaged(kept: Path, empty: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(flipped(0.5)(kept.read_bytes()))
    for command in (["restore", path], ["restore", path, "--replace", "--yes"]):
        assert empty.refused(*command) == f"{path}{DAMAGED}"
    assert empty.rows == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "Cannot read nowhere: No such file or directory."),
        ("/tmp", "/tmp is no file."),
        ("/dev/null", "/dev/null is no file."),
        ("-", "Cannot read -: No such file or directory."),
        (__file__, f"{__file__}{NONE}"),
    ],
)
def test_what_is_no_backup_is_refused(empty: Terminal, name: str, said: str) -> None:
    assert empty.refused("restore", name) == said
