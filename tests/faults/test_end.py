"""A service that is reloaded, and one that ends, answers every request that it was sent."""

from __future__ import annotations

import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

from tests.faults.load import REFUSED, Client
from tests.faults.scenarios import CALM, House
from tests.serving.client import workers

CLIENTS = 12


def test_a_reload_and_the_end_lose_no_request(house: House) -> None:
    before = workers(house.server)
    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, house, number) for number in range(CLIENTS)]
        time.sleep(CALM)
        for _ in range(2):
            house.server.process.send_signal(signal.SIGHUP)
            time.sleep(3 * CALM)
        after = workers(house.server)
        house.server.process.send_signal(signal.SIGTERM)
        statuses = sum((each.result() for each in asking), Counter[int]())
    print(f"\nreloaded twice and ended: {dict(statuses)}")
    assert not before & after
    assert set(statuses) == {200, REFUSED}
    assert statuses[REFUSED] == CLIENTS  # each once, and for no other reason than the end
    assert house.server.process.wait(30) == 0


def ask(house: House, number: int) -> Counter[int]:
    """What one is answered who reads and writes, until nobody listens any more."""
    statuses: Counter[int] = Counter()
    with Client(house.server, house.headers) as client:
        read = partial(client.ask, "GET", "/api/v1/users/me")
        write = partial(client.ask, "PATCH", "/api/v1/users/me")
        for turn in count():
            answer = read() if turn % 2 else write({"bio": f"{number} {turn}"})
            statuses[answer.status] += 1
            if answer.status == REFUSED:
                break
    return statuses
