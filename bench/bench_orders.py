"""A 10-million-line pandas frame becomes a log: CPU and memory against pandas' own isna and factorize.

beside = after - before
print(f"peak memory        {beside:.0f} MB beside the frame, {1 + beside / size:.2f} times it in all (target 2.5)")
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd


def export(rows: int) -> pd.DataFrame:
    """Order lines as a platform keeps them: whole-number ids, a text community, money in major units."""
    rng = np.random.default_rng(0)
    n_users, n_orders = rows // 10, rows // 2
    owner = rng.integers(0, n_users, n_orders)
    begins = rng.integers(0, 365 * 86_400, n_orders)
    order = np.sort(rng.integers(0, n_orders, rows))
    communities = np.array([f"estate-{i:03d}" for i in range(200)])
    return pd.DataFrame(
        {
            "phone": owner[order] + 13_800_000_000,
            "order_no": order,
            "paid_at": np.datetime64("2025-01-01", "us") + begins[order].astype("timedelta64[s]"),
            "paid": rng.integers(100, 20_000, rows) / 100,
            "estate": pd.Series(communities[owner[order] % 200]),
        }
    )


NAMED = {"user_id": "phone", "order_id": "order_no", "ordered_at": "paid_at", "amount": "paid", "community": "estate"}


def memory(what: str) -> float:
    """Memory of this process in MB: VmRSS now, or VmHWM, the most since the last reset (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def reset_peak() -> None:
    """Making the frame took more than the frame: forget that."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def by_pandas(frame: pd.DataFrame) -> None:
    for column in NAMED.values():
        frame[column].isna().any()
        pd.factorize(frame[column])


def by_commlife(frame: pd.DataFrame) -> None:
    import commlife as cl

    log = cl.OrderLog.from_frame(frame, **NAMED)
    assert log.n_rows == len(frame)


def run(part: str, rows: int) -> None:
    import commlife as cl

    cl.OrderLog.from_frame(export(1000), **NAMED)  # imports are not the point
    frame = export(rows)
    size = frame.memory_usage(deep=True).sum() / 2**20
    reset_peak()
    before = memory("VmRSS")
    begin = time.process_time()
    {"pandas": by_pandas, "commlife": by_commlife}[part](frame)
    print(f"{time.process_time() - begin:.3f} {before:.0f} {memory('VmHWM'):.0f} {size:.0f}")


def main() -> None:
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000
    if len(sys.argv) > 2:
        run(sys.argv[2], rows)
        return
    results: dict[str, list[list[float]]] = {"pandas": [], "commlife": []}
    for _ in range(3):
        for part, measured in results.items():
            out = subprocess.run(
                [sys.executable, __file__, str(rows), part], capture_output=True, text=True, check=True
            )
            measured.append([float(x) for x in out.stdout.split()])
    best = {part: min(row[0] for row in rows_) for part, rows_ in results.items()}
    before, after, size = results["commlife"][0][1:]
    print(f"{rows:,} lines, frame of {size:.0f} MB")
    print(f"isna + factorize   {best['pandas']:.2f} s CPU")
    print(f"OrderLog           {best['commlife']:.2f} s CPU, {best['commlife'] / best['pandas']:.2f} times (target 3)")
    beside = after - before
    print(f"peak memory        {beside:.0f} MB beside the frame, {1 + beside / size:.2f} times it in all (target 2.5)")


if __name__ == "__main__":
    main()
