"""A service: one user's latencies, and the example in examples/service under load on loopback.

Run: python bench/bench_service.py [requests]     (the load test needs the group `service`: fastapi, uvicorn, httpx)
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

EXAMPLE = Path(__file__).parents[1] / "examples" / "service"


def latency(name: str, job: Callable[[], object], calls: int, target: float) -> None:
    """Median and 99th percentile of single calls in microseconds of CPU, so that a busy machine does not count."""
    spent = []
    for _ in range(calls):
        begin = time.thread_time_ns()
        job()
        spent.append((time.thread_time_ns() - begin) / 1_000)
    middle, high = np.quantile(spent, [0.5, 0.99])
    print(f"{name:<32} median {middle:8.1f} us   99% {high:8.1f} us   target {target:,.0f} us", flush=True)


def latencies() -> None:
    import commlife as cl

    warnings.simplefilter("ignore")
    community = cl.datasets.make_community(n_users=1_000, seed=1)
    log, as_of = community.log, community.as_of
    rfm = cl.RFM().fit(log, as_of=as_of)
    silence = cl.SilenceModel().fit(log, as_of=as_of)
    row = silence.feature_table(log, as_of=as_of).drop(columns="user_id").iloc[0].to_dict()
    lines = community.frame.query("amount > 0")
    baskets = lines.groupby("order_id")["item_id"].agg(list).tolist()
    rules = cl.association_rules(cl.frequent_itemsets(baskets, min_count=5), min_confidence=0.05)
    known = rules.to_frame()["antecedent"].iloc[0]
    latency("RFM.score", lambda: rfm.score(recency_days=3, frequency=7, monetary=120.0), 20_000, 50)
    latency("silence with reasons", lambda: silence.explain_one(row), 300, 5_000)
    latency(f"cross-sell ({len(rules):,} rules)", lambda: cl.cross_sell(rules, known, k=5), 1_000, 1_000)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def load(requests: int) -> None:
    import httpx

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, EXAMPLE / "fit.py", folder], check=True)
        port = free_port()
        begin = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"],
            cwd=EXAMPLE, env={**os.environ, "MODELS": folder},
        )  # fmt: skip
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                while True:
                    try:
                        client.get("/health").raise_for_status()
                        break
                    except httpx.TransportError:
                        time.sleep(0.05)
                print(
                    f"start-up {time.perf_counter() - begin:.1f} s to the first answer, {memory(server.pid):.0f} MB",
                    flush=True,
                )
                names = client.get("/features").json()
                bodies: dict[str, dict[str, Any]] = {
                    "/rfm": {"recency_days": 3, "frequency": 7, "monetary": 120.0},
                    "/silence": {"features": dict.fromkeys(names, 1.0)},
                    "/offer": {"items": ["fruit", "vegetables", "dairy"]},
                }
                for path, body in bodies.items():
                    under_load(client, path, body, requests)
                print(f"memory after the load {memory(server.pid):.0f} MB", flush=True)
        finally:
            server.terminate()
            server.wait()


def under_load(client: Any, path: str, body: dict[str, Any], requests: int) -> None:
    """Eight clients at once; wall-clock times, those of the waiting client."""

    def ask(_: int) -> tuple[float, int]:
        begin = time.perf_counter()
        answer = client.post(path, json=body)
        return (time.perf_counter() - begin) * 1_000, answer.status_code

    begin = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(ask, range(requests)))
    took = time.perf_counter() - begin
    middle, high = np.quantile([spent for spent, _ in seen], [0.5, 0.99])
    wrong = sum(code >= 500 for _, code in seen)
    codes = sorted({code for _, code in seen})
    print(f"{path:<10} {requests / took:7.0f} requests a second   median {middle:6.1f} ms   99% {high:6.1f} ms   "
          f"status {codes}, {wrong} errors", flush=True)  # fmt: skip


def memory(pid: int) -> float:
    """Resident memory of a process in MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    latencies()
    if all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn", "httpx")):
        load(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
    else:
        print("the load test needs fastapi, uvicorn and httpx: pip install --group service")
