"""Whose turn it is: threads that run at once fight over the interpreter."""

from __future__ import annotations

import time
from math import inf
from threading import Event, Lock, get_ident

PATIENCE = 0.005  # seconds that one may be at a request before another takes its turn
CALM = 200  # looks in a row at nothing slow; then whoever looks does so a fourth as often
QUIET = 25  # looks in a row at nothing; then whoever looks is woken by the next request


class Turn:
    """One thread's, for as long as it is quick: in the interpreter two are slower than one.

    So the others rest, all but one in the lock. That one looks from time to time whether the turn
    is taken by something slow, such as a lock in the database, and takes it over then; who was slow
    gets in line when it is done. So as many are at work as are held up by something, and one more.
    """

    def __init__(self) -> None:
        self._line = Lock()
        self._whose = 0
        self._since = -inf  # when its request began
        self._resting, self._woken = False, Event()

    def take(self) -> None:
        """Wait for it."""
        quiet = calm = 0
        with self._line:
            while (waited := time.monotonic() - self._since) < PATIENCE:
                quiet = quiet + 1 if waited == -inf else 0  # nothing is under way
                calm += 1
                if quiet > QUIET:
                    self._rest()
                    quiet = 0
                else:
                    time.sleep(4 * PATIENCE if quiet or calm > CALM else PATIENCE)
            self._whose, self._since = get_ident(), inf

    def _rest(self) -> None:
        """Wait for a request; one that begins meanwhile is seen here, or sees this."""
        self._woken.clear()
        self._resting = True
        if self._since == inf:
            self._woken.wait()
        self._resting = False

    def mine(self) -> bool:
        """Whether nobody took it over."""
        return self._whose == get_ident()

    def start(self) -> None:
        """Say that there is a request."""
        if self.mine():
            self._since = time.monotonic()
            if self._resting:
                self._woken.set()

    def stop(self) -> None:
        """Say that it is answered."""
        if self.mine():
            self._since = inf
