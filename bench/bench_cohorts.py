"""Cohorts: CPU of the weekly table against hand-written pandas, Polars and DuckDB; recall and false alarms of alerts.

Run: python bench/bench_cohorts.py speed [orders]      CPU seconds, best of 3, equal work checked equal
     python bench/bench_cohorts.py alerts [seeds]      operating figures over sizes and drops, cells drawn directly
     python bench/bench_cohorts.py community [seeds]   the same through make_community, from the order log on
     python bench/bench_cohorts.py planner [seeds]     intervals of the planner against known responses
     python bench/bench_cohorts.py docs                the kept figures of alerts, written into the documentation
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import commlife as cl
from commlife._stats.multiplicity import benjamini_hochberg
from commlife.cohorts import cohort_table, retention_alerts
from commlife.cohorts._expectation import expect

AS_OF = "2025-12-29"
WEEKS = 52
RESULTS = Path(__file__).parent / "results"


def export(orders: int) -> pd.DataFrame:
    """Orders of a year in 200 communities; a user orders about ten times."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, max(orders // 10, 1), orders)
    at = np.datetime64("2024-12-30", "us") + rng.integers(0, WEEKS * 7 * 86_400, orders).astype("timedelta64[s]")
    frame = pd.DataFrame({"user_id": users, "ordered_at": at, "amount": rng.integers(100, 9_999, orders) / 100})
    estates = np.array([f"estate-{number:03d}" for number in range(200)])
    frame["community"] = estates[users % 200]
    return frame


# The year begins in the middle of lives; that is known here, and both sides count everybody.
warnings.simplefilter("ignore", cl.LeftTruncatedWarning)


def best(job: Callable[[], object], times: int = 3) -> tuple[float, object]:
    took, result = [], None
    for _ in range(times):
        start = time.process_time()
        result = job()
        took.append(time.process_time() - start)
    return min(took), result


def by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    week = (frame["ordered_at"].to_numpy().astype("datetime64[D]").astype("int64") + 3) // 7
    rows = pd.DataFrame({"user_id": frame["user_id"], "week": week, "at": frame["ordered_at"], "c": frame["community"]})
    first = rows.loc[rows.groupby("user_id")["at"].idxmin(), ["user_id", "week", "c"]]
    first.columns = ["user_id", "cohort", "community"]
    active = rows[["user_id", "week"]].drop_duplicates().merge(first, on="user_id")
    active["age"] = active["week"] - active["cohort"]
    return active.groupby(["community", "cohort", "age"]).size().rename("users").reset_index()


def by_polars(frame: object) -> object:
    import polars as pl

    week = (pl.col("ordered_at").cast(pl.Date).cast(pl.Int64) + 3) // 7
    rows = frame.lazy().with_columns(week.alias("week"))
    first = rows.group_by("user_id").agg(
        pl.col("week").min().alias("cohort"), pl.col("community").sort_by("ordered_at").first()
    )
    active = rows.select("user_id", "week").unique().join(first, on="user_id")
    aged = active.with_columns((pl.col("week") - pl.col("cohort")).alias("age"))
    return aged.group_by("community", "cohort", "age").agg(pl.len().alias("users")).collect().to_pandas()


def by_duckdb(frame: pd.DataFrame) -> pd.DataFrame:
    import duckdb

    connection = duckdb.connect()
    connection.register("orders", frame)
    return connection.sql("""
        WITH o AS MATERIALIZED (
            SELECT user_id, community, ordered_at,
                   (date_diff('day', DATE '1970-01-01', CAST(ordered_at AS DATE)) + 3) // 7 AS week
            FROM orders),
        f AS (SELECT user_id, min(week) AS cohort, arg_min(community, ordered_at) AS community FROM o GROUP BY user_id),
        a AS (SELECT DISTINCT user_id, week FROM o)
        SELECT community, cohort, week - cohort AS age, count(*) AS users FROM a JOIN f USING (user_id) GROUP BY ALL
    """).df()


def speed(orders: int) -> None:
    frame = export(orders)
    names = {name: name for name in frame.columns}
    hand: dict[str, Callable[[], object]] = {"pandas": lambda: by_pandas(frame)}
    given: dict[str, object] = {"pandas": frame}
    try:
        import polars as pl

        given["polars"] = pl.from_pandas(frame)
        hand["polars"] = lambda: by_polars(given["polars"])
    except ImportError:
        print("polars is not installed")
    try:
        import duckdb

        given["duckdb"] = duckdb.connect().from_df(frame)
        hand["duckdb"] = lambda: by_duckdb(frame)
    except ImportError:
        print("duckdb is not installed")
    for engine, native in given.items():
        by_hand, peer = best(hand[engine])
        log = cl.OrderLog.from_frame(native, **names, observed_from="2024-12-30")
        for by in (None, "community"):

            def ask(log: cl.OrderLog = log, by: str | None = by) -> object:
                log._memory.clear()  # the log's plans are made again each time, as by hand
                return cohort_table(log, as_of=AS_OF, period="week", by=by)

            ours, table = best(ask)
            asked = f"{engine:8} by {by!s:10} {orders:,} orders"
            print(f"{asked}: commlife {ours:.2f} s, by hand by community {by_hand:.2f} s, ratio {ours / by_hand:.2f}")
            cells = table.cells.dropna(subset=["users"]).groupby("age")["users"].sum()
            counted = peer.groupby("age")["users"].sum().sort_index()
            assert [int(n) for n in counted] == [int(n) for n in cells if n > 0], "equal work"


DROPS = (0.35, 0.30, 0.25, 0.20)
SIZES = (50, 100, 200, 300)
SWINGS = (0.0, 0.002, 0.005)
#: Mean retention of 8 communities at the first age; the fourth is the one that falls.
MEANS = np.where(np.arange(8) == 3, 0.40, 0.40 + 0.06 * np.linspace(-1, 1, 8))


def weighted_q(p_values: np.ndarray) -> np.ndarray:
    """q-values of (ages, groups) as retention_alerts gives them."""
    weight = 0.25 ** np.arange(len(p_values))
    weight /= weight.mean()
    return benjamini_hochberg(np.minimum((p_values / weight[:, None]).ravel(), 1.0)).reshape(p_values.shape)


def week(
    rng: np.random.Generator, size: int, rho: float, weeks: int = 16, ages: int = 8
) -> tuple[int, dict[float, bool]]:
    """One week of 8 communities: alarms if nothing happened, and whether each drop of one of them would be found.

    Rates fall by 15% with each age; whole cohorts swing with the correlation rho, each by itself.
    """
    p_values = []
    dropped: dict[float, np.ndarray] = {}
    n = np.full((8, weeks + 1), float(size))
    for age in range(ages):
        rate = np.broadcast_to((MEANS * 0.85**age)[:, None], (8, weeks + 1))
        if rho:
            rate = rng.beta(rate * (1 - rho) / rho, (1 - rate) * (1 - rho) / rho)
        x = rng.binomial(size, rate).astype(float)
        history = x[:, age:-1], n[:, age:-1]
        p_values.append(expect(*history, x[:, -1], n[:, -1], min_history=6).p_value)
        if age == 0:
            for drop in DROPS:
                fallen = rng.beta(drop * (1 - rho) / rho, (1 - drop) * (1 - rho) / rho) if rho else drop
                newest = np.where(np.arange(8) == 3, rng.binomial(size, fallen), x[:, -1])
                dropped[drop] = expect(*history, newest.astype(float), n[:, -1], min_history=6).p_value
    healthy = np.array(p_values)
    found = {drop: bool(weighted_q(np.vstack([p[None], healthy[1:]]))[0, 3] <= 0.02) for drop, p in dropped.items()}
    return int((weighted_q(healthy) <= 0.02).sum()), found


def alerts(draws: int) -> None:
    """Operating figures over sizes, drops and swings, cells drawn directly; kept in results/alerts.csv.

    Rows that are kept already, with as many draws, are not drawn again: a long run may be cut in pieces.
    """
    print(f"{draws} weeks each, a history of 16 weeks, 8 communities x 8 ages tested together, q <= .02, fresh seeds")
    kept = RESULTS / "alerts.csv"
    done = pd.read_csv(kept) if kept.exists() else pd.DataFrame({"newcomers": [], "rho": [], "weeks": []})
    for size in SIZES:
        for rho in SWINGS:
            if ((done["newcomers"] == size) & (done["rho"] == rho) & (done["weeks"] == draws)).any():
                continue
            rng = np.random.default_rng([2_026, size, int(rho * 1e6)])
            drawn = [week(rng, size, rho) for _ in range(draws)]
            row = {"newcomers": size, "rho": rho, "weeks": draws, "false_alarms": sum(each[0] for each in drawn)}
            row |= {f"found_at_{drop:.2f}": sum(each[1][drop] for each in drawn) for drop in DROPS}
            print("  " + "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            done = pd.concat([done, pd.DataFrame([row])], ignore_index=True).astype(
                {name: type(row[name]) for name in row}
            )
            keep(done.loc[done["weeks"] == draws].sort_values(["newcomers", "rho"]), "alerts.csv")


def keep(table: pd.DataFrame, name: str) -> None:
    """Keep a table beside the benchmarks; the documentation shows these figures, and a test compares them."""
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / name, index=False, lineterminator="\n")


def community(seeds: int) -> None:
    """Through make_community, from the order log on: the drop in its first complete week, and the week before it.

    Rows that are kept already are not made again: a long run may be cut in pieces.
    """
    kept = RESULTS / "alerts_community.csv"
    rows = pd.read_csv(kept).to_dict("records") if kept.exists() else []
    done = {row["seed"] for row in rows}
    for seed in sorted(set(range(seeds)) - done):
        world = cl.datasets.make_community(
            newcomers_per_week=300, n_weeks=18, drop_week=16, retention_spread=0.0, lines_per_order=1.0, seed=seed
        )
        names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community")}
        log = cl.OrderLog.from_frame(world.frame[list(names)], **names, observed_from=world.world.start)
        now = retention_alerts(cohort_table(log, as_of=world.as_of, period="7D", by="community")).to_frame()
        hit = (now["group"] == world.truth.drop.community) & (now["direction"] == "drop") & (now["age"] == 1)
        # Not further back: there a coupon trial brings users in, and no alarm about that would be false.
        before = retention_alerts(cohort_table(log, as_of=world.truth.drop.first_day, period="7D", by="community"))
        rows.append({"seed": seed, "found": int(hit.any()), "beside": int(len(now) - hit.sum()), "false": len(before)})
        print("  " + "  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
        keep(pd.DataFrame(rows), "alerts_community.csv")
    table = pd.DataFrame(rows)
    print(
        f"8 communities, 300 newcomers a week, one falls from 40% to 25%: found in {table['found'].sum()} of {len(table)}"
    )
    print(f"false alarms in the healthy week before: {table['false'].sum()} in {len(table)}")


BEGIN, END = "<!-- operating figures: begin -->", "<!-- operating figures: end -->"


def operating_table(kept: pd.DataFrame) -> str:
    """The kept figures of ``alerts`` as the table that the documentation shows."""
    lines = [
        "| newcomers a week | swing | to 35% | to 30% | to 25% | to 20% | false alarms in 1,000 healthy weeks |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in kept.to_dict("records"):
        found = " | ".join(f"{row[f'found_at_{drop:.2f}'] / row['weeks']:.0%}" for drop in DROPS)
        false = 1_000 * row["false_alarms"] / row["weeks"]
        lines.append(f"| {row['newcomers']:.0f} | {row['rho']:g} | {found} | {false:.1f} |")
    return "\n".join(lines)


def docs(_: int) -> None:
    """Write the kept figures into the documentation, as a table and as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kept = pd.read_csv(RESULTS / "alerts.csv")
    folder = Path(__file__).parents[1] / "docs"
    page = folder / "explanation" / "retention.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{operating_table(kept)}\n{END}{after}", encoding="utf-8")
    figure, axes = plt.subplots(1, len(SWINGS), figsize=(11, 3.6), sharey=True, layout="constrained")
    strokes = (("#999999", ":", "o"), ("#e69f00", "-.", "s"), ("#0072b2", "-", "D"), ("#d55e00", "--", "^"))
    for ax, rho in zip(axes, SWINGS, strict=True):
        mine = kept.loc[kept["rho"] == rho]
        for drop, (colour, stroke, marker) in zip(DROPS, strokes, strict=True):
            share = mine[f"found_at_{drop:.2f}"] / mine["weeks"]
            ax.plot(mine["newcomers"], share, color=colour, linestyle=stroke, marker=marker, label=f"40% to {drop:.0%}")
        ax.axhline(0.95, color="0.7", linewidth=0.8)
        ax.set_xscale("log")
        ax.set_xticks(SIZES, [str(size) for size in SIZES])
        ax.minorticks_off()
        ax.set_xlabel("newcomers a week")
        ax.set_title("pure chance" if rho == 0 else f"swing {rho:g}")
        ax.yaxis.set_major_formatter("{x:.0%}")
    axes[0].set_ylabel("found in the first week")
    axes[0].legend(fontsize=8, loc="upper left")
    figure.savefig(folder / "images" / "alert-power.png", dpi=110)


def planner(seeds: int) -> None:
    """Known responses of simulated communities against the planner's intervals, and its promises against outcomes."""
    from scipy import stats

    spec, unit = (
        cl.GrowthPlanner(acquisition=["app", "chat"], discounts=["vegetables"]),
        np.array([500.0, 300.0, 200.0]),
    )

    def truth(levers: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logs = np.log1p(levers / unit)
        kept = -0.8 + 0.1 * group + logs @ np.array([-0.1, 0.0, 0.6])
        return np.exp(4.0 + 0.2 * group + logs @ np.array([0.5, 0.3, 0.0])), 1 / (1 + np.exp(-kept))

    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng([2_026, seed])
        group, cohort = np.repeat(np.arange(3), 40), np.tile(np.arange(40), 3)
        levers = rng.uniform(0, 2, (120, 3)) * unit
        new, kept = truth(levers, group)
        payers = rng.negative_binomial(40, 40 / (40 + new))
        history = pd.DataFrame(levers, columns=list(spec.levers)).assign(
            cohort=cohort, community=group.astype(str), new_payers=payers, retained=rng.binomial(payers, kept)
        )
        asked, place = rng.uniform(0.2, 1.8, (3, 3)) * unit, int(rng.integers(3))
        fitted = spec.fit(history)
        curve = fitted.response(pd.DataFrame(asked, columns=list(spec.levers)).assign(community=["0", "1", "2"]))
        true = truth(asked, np.arange(3))
        row = {
            f"curve of {name}": bool(curve[f"{name}_low"][place] <= t[place] <= curve[f"{name}_high"][place])
            for name, t in zip(("new_payers", "retention"), true, strict=True)
        }
        plan = fitted.plan(cl.Goal(new_payers=60, retention_points=2.0))
        new, kept = truth(plan.levers["planned"].to_numpy().reshape(3, 3), np.arange(3))
        payers = rng.negative_binomial(40, 40 / (40 + new))
        came = payers.sum(), rng.binomial(payers, kept).sum() / payers.sum()
        for name, value, low, high in zip(
            ("new_payers", "retention"), came, plan.outcome["low"], plan.outcome["high"], strict=True
        ):
            row[f"plan's {name}"] = bool(low <= value <= high)
        rows.append(row)
    held = pd.DataFrame(rows).sum()
    low, high = stats.binom.ppf([0.025, 0.975], seeds, 0.95)
    print(f"{seeds} simulated shops, 95% intervals; chance alone gives {low:.0f} to {high:.0f}:")
    print("\n".join(f"  {name}: {count} held the truth" for name, count in held.items()))


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "speed"
    number = (
        int(sys.argv[2])
        if len(sys.argv) > 2
        else {"speed": 2_000_000, "alerts": 2_000, "community": 200, "planner": 400, "docs": 0}[what]
    )
    {"speed": speed, "alerts": alerts, "community": community, "planner": planner, "docs": docs}[what](number)
