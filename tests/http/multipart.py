"""Bodies of multipart/form-data, byte by byte."""

from __future__ import annotations

from typing import Any

BOUNDARY = "limit"


def part(content: bytes, name: str = "file", rest: str = '; filename="some.csv"') -> bytes:
    """A part with its head."""
    return f'Content-Disposition: form-data; name="{name}"{rest}\r\n\r\n'.encode() + content


def body(*parts: bytes, boundary: str = BOUNDARY) -> bytes:
    """Parts, each behind its boundary."""
    mark = f"--{boundary}".encode()
    return b"".join(b"%s\r\n%s\r\n" % (mark, each) for each in parts) + mark + b"--\r\n"


def sent(*parts: bytes, boundary: str = BOUNDARY) -> dict[str, Any]:
    """The same, as the test client takes it."""
    kind = f'multipart/form-data; boundary="{boundary}"'
    return {"data": body(*parts, boundary=boundary), "content_type": kind}


def file(content: str | bytes, boundary: str = BOUNDARY) -> dict[str, Any]:
    """One file, and nothing else."""
    data = content.encode() if isinstance(content, str) else content
    return sent(part(data), boundary=boundary)
