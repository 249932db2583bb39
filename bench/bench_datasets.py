"""CPU and peak memory of the synthetic community by size: python bench/bench_datasets.py [users ...]."""

from __future__ import annotations

import resource
import sys
import time

from commlife.datasets import make_community

for n_users in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
    best, lines = float("inf"), 0
    for _ in range(3 if n_users <= 100_000 else 1):
        begin = time.process_time()
        lines = len(make_community(n_users=n_users).frame)
        best = min(best, time.process_time() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    per_line = f"{best / lines * 1e6:.2f} us a line"
    print(f"{n_users:>9,} users {lines:>11,} lines {best:7.2f} s CPU, {per_line}, peak {peak:.2f} GB so far")
