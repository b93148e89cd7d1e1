"""`make bench` compares with what says the same: else it would not run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests import bench

BY_PGBENCH = ("search, rare", "adjust stock, one row")  # which say what others have had planned


def test_each_workload_is_answered_alike_and_by_pgbench_too(tmp_path: Path) -> None:
    rows = 2_000
    with ExitStack() as running:
        cluster, ours, bare, measured, token = bench.begin(tmp_path, rows, running)
        assert {workload.name for workload in measured}.issuperset(BY_PGBENCH)
        for workload in measured:
            for server in (ours, bare):
                answered, _ = bench.load(server.port, workload.requests(rows, token), 0.05, 2)
                assert answered > 0, workload.name
            if workload.name in BY_PGBENCH:
                answered, _ = bench.pgbench(workload, cluster, tmp_path, rows, 1, 1)
                assert answered > 0, workload.name
