"""What no log line may tell: passwords, tokens, hashes, addresses of people."""

from __future__ import annotations

import re

SECRETS = {
    "an access token": r"eyJ[\w-]+",
    "a random token": r"(?<![\w-])[\w-]{43}(?![\w-])",
    "a hash": r"\$argon2|\\x[0-9a-f]{16}|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])",
    "an address": r"[\w.+-]+@[\w-]+\.\w+",
    "a password": r"correct horse|battery|staple",
}


def told(log: str) -> list[str]:
    """The lines that tell a secret, each with what it is."""
    return [
        f"{what}: {line}"
        for line in log.splitlines()
        for what, pattern in SECRETS.items()
        if re.search(pattern, line)
    ]
