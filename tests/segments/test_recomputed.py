"""Recomputed in SQL: what segments say of two real logs, by an independent query, to the last cent."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.datasets import load_cdnow, load_complete_journey

LOGS = {"journey": "2018-01-01", "cdnow": "1998-07-01"}


@pytest.fixture(scope="module")
def logs():
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "datasets"
    return {"journey": load_complete_journey(), "cdnow": load_cdnow(folder / "CDNOW_master.txt")}


@pytest.fixture(scope="module")
def base(logs):
    """For each log a database with its orders: user_id, d (day), cents, counts; and its lines."""
    made = {}
    for name, log in logs.items():
        db = duckdb.connect()
        lines = log.to_native()
        if "order_id" not in lines.columns:
            lines = lines.assign(order_id=np.arange(len(lines)))
        db.register("given", lines)
        db.execute("CREATE TABLE lines AS SELECT *, round(amount * 100)::BIGINT AS c FROM given")
        db.execute(
            f"""CREATE TABLE orders AS
            SELECT user_id, order_id, min(ordered_at) AS t, min(ordered_at)::DATE AS d, sum(c)::BIGINT AS cents,
                   sum(c) > 0 OR (sum(c) = 0 AND min(c) >= 0) AS counts
            FROM lines WHERE ordered_at < '{LOGS[name]}' GROUP BY ALL"""
        )
        made[name] = db
    return made


@pytest.fixture(scope="module")
def tags(logs):
    return cl.user_tags(logs["journey"], as_of="2018-01-01", history=1).tags


def quiet(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        return call()


@pytest.mark.parametrize("name", list(LOGS))
@pytest.mark.parametrize("lookback", [None, "180D"])
def test_rfm(logs, base, name, lookback):
    as_of = LOGS[name]
    rfm = quiet(lambda: cl.RFM(segment_map="octants", lookback=lookback).fit(logs[name], as_of=as_of))
    mine = rfm.transform(logs[name], as_of=as_of)
    since = "" if lookback is None else f"WHERE d >= DATE '{as_of}' - 180"
    wanted = (
        base[name]
        .execute(
            f"""WITH users AS (
            SELECT user_id, date_diff('day', max(d) FILTER (counts), DATE '{as_of}') AS recency_days,
                   count(*) FILTER (counts) AS frequency, sum(cents)::BIGINT AS cents
            FROM orders {since} GROUP BY user_id HAVING count(*) FILTER (counts) > 0),
        cuts AS (SELECT quantile_cont(recency_days, [.2, .4, .6, .8]) AS r, quantile_cont(frequency, [.2, .4, .6, .8]) AS f,
                        quantile_cont(cents, [.2, .4, .6, .8]) AS m FROM users)
        SELECT user_id, recency_days, frequency, cents,
               5 - len(list_filter(r, lambda x: x < recency_days - 1e-7)) AS r_score,
               1 + len(list_filter(f, lambda x: x < frequency - 1e-7)) AS f_score,
               1 + len(list_filter(m, lambda x: x < cents - 1e-7)) AS m_score
        FROM users, cuts ORDER BY user_id"""
        )
        .df()
    )
    assert (mine["user_id"] == wanted["user_id"]).all()
    np.testing.assert_array_equal((mine["monetary"] * 100).round().astype(int), wanted["cents"])
    for column in ("recency_days", "frequency", "r_score", "f_score", "m_score"):
        np.testing.assert_array_equal(mine[column], wanted[column])
    assert len(mine) > 2_000


STATES = """
    WITH weeks AS (SELECT range AS w FROM range({first}, 0)),
    bought AS (SELECT DISTINCT user_id, floor(date_diff('day', DATE '{as_of}', d) / 7)::INT AS w FROM orders WHERE counts),
    firsts AS (SELECT user_id, min(d) AS first_day, floor(date_diff('day', DATE '{as_of}', min(d)) / 7)::INT AS w0
               FROM orders WHERE counts GROUP BY user_id),
    grid AS (SELECT f.user_id, weeks.w, f.w0, f.first_day, max(b.w) AS last
             FROM firsts f JOIN weeks ON weeks.w >= f.w0 JOIN bought b ON b.user_id = f.user_id AND b.w <= weeks.w
             GROUP BY ALL),
    gaps AS (SELECT *, w - last AS g, lag(w - last) OVER (PARTITION BY user_id ORDER BY w) AS g0 FROM grid)
    SELECT user_id, w, CASE
        WHEN w = w0 AND first_day < DATE '{begins}' + {washout} THEN 'existing'
        WHEN w = w0 THEN 'new'
        WHEN g = 0 AND g0 >= 2 THEN 'returned'
        WHEN g < 2 THEN 'active'
        WHEN g < 8 THEN 'silent' ELSE 'churned' END AS state
    FROM gaps"""


@pytest.mark.parametrize(("name", "begins", "washout"), [("journey", "2017-01-01", 28), ("cdnow", "1997-01-01", 0)])
def test_lifecycle_counts_and_transitions(logs, base, name, begins, washout):
    as_of = LOGS[name]
    spec = cl.Lifecycle(period="7D", silent_after=2, churned_after=8, washout=f"{washout}D" if washout else None)
    life = quiet(lambda: spec.fit(logs[name], as_of=as_of))
    first = (pd.Timestamp(begins) - pd.Timestamp(as_of)).days // 7
    base[name].execute(
        "CREATE OR REPLACE TABLE states AS " + STATES.format(as_of=as_of, first=first, begins=begins, washout=washout)
    )
    counts = base[name].execute("SELECT w, state, count(*) AS n FROM states GROUP BY ALL").df()
    mine = life.counts.assign(w=(life.counts["period"] - pd.Timestamp(as_of)).dt.days // 7)
    mine = mine[mine["users"] > 0].set_index(["w", "state"])["users"]
    assert mine.sort_index().to_dict() == counts.set_index(["w", "state"])["n"].sort_index().to_dict()
    moves = (
        base[name]
        .execute(
            """SELECT a.w, b.state AS was, a.state AS is_now, count(*) AS n FROM states a
        LEFT JOIN states b ON a.user_id = b.user_id AND b.w = a.w - 1 GROUP BY ALL"""
        )
        .df()
    )
    told = life.transitions.assign(w=(life.transitions["period"] - pd.Timestamp(as_of)).dt.days // 7)
    keys = ["w", "from_state", "to_state"]
    told = told.fillna({"from_state": ""}).set_index(keys)["users"].sort_index()
    moves = moves.fillna({"was": ""}).set_index(["w", "was", "is_now"])["n"].sort_index()
    assert told.to_dict() == moves.to_dict()
    newest = base[name].execute("SELECT user_id, state FROM states WHERE w = -1 ORDER BY user_id").df()
    assert life.states["state"].tolist() == newest["state"].tolist()


@pytest.mark.parametrize("name", list(LOGS))
def test_growth_accounting_to_the_cent(logs, base, name):
    as_of = LOGS[name]
    mine = quiet(lambda: cl.growth_accounting(logs[name], as_of=as_of, period="month"))
    wanted = (
        base[name]
        .execute(
            """WITH cells AS (SELECT user_id, date_trunc('month', d)::DATE AS m, bool_or(counts) AS active, sum(cents)::BIGINT AS r
                          FROM orders GROUP BY ALL),
        months AS (SELECT DISTINCT m FROM cells), users AS (SELECT user_id, min(m) AS m0 FROM cells WHERE active GROUP BY 1),
        grid AS (SELECT u.user_id, months.m, u.m0, coalesce(c.active, false) AS a, coalesce(c.r, 0) AS r
                 FROM users u CROSS JOIN months LEFT JOIN cells c USING (user_id, m)),
        pairs AS (SELECT *, lag(a, 1, false) OVER w AS a0, lag(r, 1, 0) OVER w AS r0 FROM grid
                 WINDOW w AS (PARTITION BY user_id ORDER BY m))
        SELECT m, count(*) FILTER (a) AS active_users, count(*) FILTER (a AND m = m0) AS new,
               count(*) FILTER (a AND a0) AS retained, count(*) FILTER (a AND NOT a0 AND m > m0) AS returned,
               count(*) FILTER (a0 AND NOT a) AS lapsed, sum(r) AS revenue,
               sum(r) FILTER (a AND m = m0) AS revenue_new, sum(r) FILTER (a AND NOT a0 AND m > m0) AS revenue_returned,
               sum(greatest(r - r0, 0)) FILTER (a AND a0) AS revenue_expansion,
               sum(greatest(r0 - r, 0)) FILTER (a AND a0) AS revenue_contraction,
               sum(r0) FILTER (a0 AND NOT a) AS revenue_lapsed
        FROM pairs GROUP BY m ORDER BY m"""
        )
        .df()
        .fillna(0)
    )
    assert (mine["period"] == pd.to_datetime(wanted["m"])).all()
    for column in ("active_users", "new", "retained", "returned", "lapsed"):
        np.testing.assert_array_equal(mine[column], wanted[column])
    for column in (
        "revenue",
        *(f"revenue_{flow}" for flow in ("new", "returned", "expansion", "contraction", "lapsed")),
    ):
        np.testing.assert_array_equal((mine[column] * 100).round().astype(int), wanted[column].astype(int), column)


@pytest.mark.parametrize("name", list(LOGS))
def test_loyalty(logs, base, name):
    as_of = LOGS[name]
    mine = cl.Loyalty(period="7D", n_periods=12, decay=0.75).fit(logs[name], as_of=as_of).index
    wanted = (
        base[name]
        .execute(
            f"""WITH weeks AS (SELECT DISTINCT user_id, (date_diff('day', d, DATE '{as_of}') - 1) // 7 AS k FROM orders WHERE counts)
        SELECT user_id, coalesce(sum(pow(0.75, k)) FILTER (k < 12), 0) / ((1 - pow(0.75, 12)) / 0.25) AS loyalty
        FROM weeks GROUP BY user_id ORDER BY user_id"""
        )
        .df()
    )
    assert (mine["user_id"] == wanted["user_id"]).all()
    np.testing.assert_allclose(mine["loyalty"], wanted["loyalty"], atol=1e-10)


def test_favourite_categories(tags, base):
    mine = tags[tags["tag"] == "favourite_category"].set_index("user_id")
    wanted = (
        base["journey"]
        .execute(
            """WITH homes AS (SELECT o.user_id, min(l.community) AS home FROM lines l JOIN orders o USING (user_id, order_id)
                          JOIN (SELECT user_id, min(t) AS t FROM orders WHERE counts GROUP BY 1) f ON f.user_id = o.user_id AND f.t = o.t
                          WHERE l.ordered_at = f.t AND counts GROUP BY 1),
        recent AS (SELECT user_id, order_id FROM orders WHERE counts AND d >= DATE '2018-01-01' - 84),
        held AS (SELECT DISTINCT user_id, order_id, category FROM lines JOIN recent USING (user_id, order_id)
                 WHERE category IS NOT NULL AND c >= 0),
        hits AS (SELECT user_id, category, count(*) AS k FROM held GROUP BY ALL),
        n AS (SELECT user_id, count(*) AS n FROM recent GROUP BY 1),
        home_n AS (SELECT home, sum(n) AS n FROM n JOIN homes USING (user_id) GROUP BY 1),
        home_k AS (SELECT home, category, sum(k) AS k FROM hits JOIN homes USING (user_id) GROUP BY ALL),
        all_k AS (SELECT category, sum(k) / (SELECT sum(n) FROM n) AS rate FROM hits GROUP BY 1),
        wilson AS (SELECT hits.user_id, category, hits.k / n.n AS share,
                   (hits.k + 1.959963984540054 ** 2 / 2 - 1.959963984540054 * sqrt(hits.k * (n.n - hits.k) / n.n + 1.959963984540054 ** 2 / 4))
                   / (n.n + 1.959963984540054 ** 2) AS low,
                   (home_k.k + 50 * rate) / (home_n.n + 50) AS base, n.n AS orders
                   FROM hits JOIN n USING (user_id) JOIN homes USING (user_id) JOIN home_n USING (home)
                   JOIN home_k USING (home, category) JOIN all_k USING (category) WHERE hits.k >= 3)
        SELECT user_id, arg_max(category, low / base) AS value, max(low / base) AS sure FROM wilson WHERE low > base
        GROUP BY user_id ORDER BY user_id"""
        )
        .df()
        .set_index("user_id")
    )
    assert len(mine) > 500
    assert mine["value"].to_dict() == wanted["value"].to_dict()
    np.testing.assert_allclose((mine["low"] / mine["base"]).sort_index(), wanted["sure"], rtol=1e-9)


def test_price_levels(tags, base):
    mine = tags[tags["tag"] == "price_band"].set_index("user_id").sort_index()
    wanted = (
        base["journey"]
        .execute(
            """WITH priced AS (SELECT user_id, ordered_at::DATE AS d, category,
                   CASE WHEN list_amount > 0 THEN round(list_amount * 100) ELSE c END::BIGINT AS paid,
                   CASE WHEN round(quantity * 1000) BETWEEN 1 AND 1e9 THEN round(quantity * 1000) ELSE 1000 END::BIGINT AS units
                   FROM lines WHERE c > 0 AND category IS NOT NULL AND ordered_at < '2018-01-01'),
        usual AS (SELECT category, sum(paid)::DOUBLE / sum(units)::DOUBLE AS rate FROM priced GROUP BY 1),
        users AS (SELECT user_id, sum(paid) AS paid, sum(round(rate * units)) AS usual, count(*) AS n
                  FROM priced JOIN usual USING (category) WHERE d >= DATE '2018-01-01' - 84 GROUP BY 1)
        SELECT user_id, (paid + 5 * usual / n) / (usual + 5 * usual / n) AS level, n FROM users
        WHERE n >= 3 AND usual > 0 ORDER BY user_id"""
        )
        .df()
        .set_index("user_id")
    )
    assert mine.index.tolist() == wanted.index.tolist()
    np.testing.assert_allclose(mine["share"], wanted["level"], rtol=1e-9)
    np.testing.assert_array_equal(mine["orders"], wanted["n"])
    bands = np.select([wanted["level"] < 0.85, wanted["level"] > 1.15], ["low", "high"], "middle")
    assert mine["value"].tolist() == bands.tolist()


def test_repurchase_cycles(logs, base):
    mine = cl.repurchase_cycles(logs["journey"], as_of="2018-01-01")
    wanted = (
        base["journey"]
        .execute(
            """WITH days AS (SELECT DISTINCT o.user_id, l.category, o.d FROM lines l JOIN orders o USING (user_id, order_id)
                         WHERE counts AND l.c >= 0 AND l.category IS NOT NULL AND l.ordered_at < '2018-01-01'),
        gaps AS (SELECT *, date_diff('day', lag(d) OVER (PARTITION BY user_id, category ORDER BY d), d) AS gap FROM days)
        SELECT user_id, category, count(gap) AS gaps, max(d) AS last_bought,
               CASE WHEN count(gap) >= 4 THEN exp(avg(ln(gap))) END AS cycle_days
        FROM gaps GROUP BY ALL ORDER BY user_id, category"""
        )
        .df()
    )
    mine = mine.sort_values(["user_id", "category"], ignore_index=True)
    np.testing.assert_array_equal(mine["gaps"], wanted["gaps"])
    assert (mine["last_bought"] == pd.to_datetime(wanted["last_bought"])).all()
    np.testing.assert_allclose(mine["cycle_days"], wanted["cycle_days"], rtol=1e-5)
    known = mine["cycle_days"].notna()
    due = mine.loc[known, "last_bought"] + pd.to_timedelta(mine.loc[known, "cycle_days"].round().astype(int), unit="D")
    assert (due == mine.loc[known, "next_due"]).mean() > 0.999


def test_an_interval_of_what_is_due_holds_what_came(logs):
    """Learned before October, looked at in the last quarter: grocery is lumpy, so the promise is checked, not assumed."""
    log = logs["journey"]
    due = cl.repurchase_cycles(log, as_of="2017-10-01").dropna(subset="cycle_days")
    recent = due[~due["overdue"].astype(bool) & (due["due_until"] < "2017-12-31")]
    lines = log.to_native()
    after = lines[(lines["ordered_at"] >= "2017-10-01") & (lines["amount"] >= 0) & lines["category"].notna()]
    came = after.assign(day=after["ordered_at"].dt.normalize()).groupby(["user_id", "category"])["day"].min()
    both = recent.join(came, on=["user_id", "category"])
    held = (both["day"] >= both["due_from"]) & (both["day"] <= both["due_until"])
    assert len(both) > 5_000
    assert 0.6 < held.mean() < 0.95
