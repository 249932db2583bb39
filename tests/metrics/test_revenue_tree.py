"""Revenue tree: parts that sum to the cent, whatever the order of the factors, against brute force and SQL."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import prod

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife import testing
from commlife.metrics.revenue_tree import revenue_tree, shapley_of_product, whole_parts
from commlife.testing.strategies import log_of

AS_OF = "2025-05-01"
PARTS = ("payers", "mix", "frequency", "order_value", "other")


def cents(values):
    return np.round(np.asarray(values, float) * 100).astype(np.int64)


@given(st.lists(st.tuples(st.fractions(0, 50), st.fractions(0, 50)), min_size=1, max_size=4))
def test_shapley_is_the_mean_over_all_orders_of_change(ends):
    before, after = [a for a, _ in ends], [b for _, b in ends]
    wanted = [Fraction(0)] * len(ends)
    orders = list(permutations(range(len(ends))))
    for order in orders:
        now = list(before)
        for i in order:
            was = prod(now)
            now[i] = after[i]
            wanted[i] += (prod(now) - was) / len(orders)
    assert shapley_of_product(before, after) == wanted
    assert sum(wanted) == prod(after) - prod(before)


@given(st.lists(st.fractions(-100, 100), min_size=1, max_size=5))
def test_whole_parts_sum_and_stay_within_one(parts):
    total = round(sum(parts))
    parts[-1] += total - sum(parts)
    whole = whole_parts(parts, total)
    assert sum(whole) == total
    assert all(abs(value - part) < 1 for value, part in zip(whole, parts, strict=True))


@settings(max_examples=settings.default.max_examples // 3)
@given(
    testing.order_frames(min_rows=3),
    st.sampled_from([None, "community", "category"]),
    st.sampled_from(["week", "month", "28D"]),
)
def test_every_row_sums_to_the_cent_and_groups_to_the_whole(frame, by, period):
    log = log_of(pd.concat([frame, frame.head(1).assign(ordered_at=pd.Timestamp("2025-01-01"))], ignore_index=True))
    tree = revenue_tree(log, as_of=AS_OF, period=period, by=by)
    for table in (tree.table, tree.total):
        names = [name for name in PARTS if name in table]
        assert (cents(table[names]).sum(axis=1) == cents(table["change"])).all()
        assert (cents(table["net_after"]) - cents(table["net_before"]) == cents(table["change"])).all()
    for name in ("change", *(name for name in PARTS if name in tree.table)):
        assert cents(tree.table[name]).sum() == cents(tree.total[name])[0]
    asked = cl.business_metrics(log, as_of=AS_OF, period=period, n_boot=0).to_frame()
    asked = asked[asked["complete"]]
    assert cents(tree.total["net_after"])[0] == cents(asked["net"].iloc[-1])
    assert cents(tree.total["net_before"])[0] == cents(asked["net"].iloc[-2])
    assert tree.total["payers_after"].iloc[0] == asked["payers"].iloc[-1]


@settings(max_examples=settings.default.max_examples // 5)
@given(testing.order_frames(min_rows=3), st.randoms(use_true_random=False))
def test_names_of_users_orders_and_rows_change_nothing(frame, rng):
    frame = pd.concat([frame, frame.head(1).assign(ordered_at=pd.Timestamp("2025-01-01"))], ignore_index=True)
    other = frame.sample(frac=1, random_state=rng.randrange(2**32))
    users = other["user_id"].unique()
    other = other.assign(
        user_id=other["user_id"].map({name: f"n{9999 - i}" for i, name in enumerate(users)}),
        order_id=other["order_id"] * 7 + 3,
    )
    later = frame.tail(2).assign(ordered_at=pd.Timestamp("2025-05-01 00:00"), amount=999.0)
    wanted = revenue_tree(log_of(frame), as_of=AS_OF, by="community")
    for each in (other, pd.concat([frame, later])):
        seen = revenue_tree(log_of(each), as_of=AS_OF, by="community")
        pd.testing.assert_frame_equal(seen.total, wanted.total)
        keys = {"by": "community", "ignore_index": True}
        pd.testing.assert_frame_equal(seen.table.sort_values(**keys), wanted.table.sort_values(**keys))


def test_engines_agree(engine):
    frame = cl.datasets.make_community(n_users=80, seed=3).frame
    names = ["user_id", "order_id", "ordered_at", "amount", "community"]
    frame = frame[names].assign(community=frame["community"].where(frame["community"] != "C01"))
    trees = [
        revenue_tree(cl.OrderLog.from_frame(each, **{n: n for n in names}), as_of="2025-06-01", by="community")
        for each in (engine(frame), frame)
    ]
    pd.testing.assert_frame_equal(trees[0].table, trees[1].table, check_dtype=False)
    pd.testing.assert_frame_equal(trees[0].total, trees[1].total)


def test_cdnow_against_sql(shared):
    """January to February 1997; each factor's part by averaging the six orders in floating point."""
    data = pd.read_parquet(shared / "cdnow_sample.parquet")
    log = cl.OrderLog.from_frame(data, user_id="customer_id", ordered_at="date", amount="dollar_value")
    tree = revenue_tree(log, as_of="1997-03-01")
    rows = duckdb.sql(
        """
        select count(distinct customer_id)::double n, count(*)::double o, sum(dollar_value) r from data
        where date < date '1997-03-01' group by date_trunc('month', date) order by date_trunc('month', date)
        """
    ).fetchall()
    ends = [[n, o / n, r / o] for n, o, r in rows]
    wanted = dict.fromkeys(range(3), 0.0)
    for order in permutations(range(3)):
        now = list(ends[0])
        for i in order:
            was = prod(now)
            now[i] = ends[1][i]
            wanted[i] += (prod(now) - was) / 6
    effects = tree.effects
    assert effects["other"] == 0
    assert [effects[name] for name in ("payers", "frequency", "order_value")] == pytest.approx(
        list(wanted.values()), abs=0.0051
    )
    assert cents(tree.total["change"])[0] == cents(rows[1][2] - rows[0][2])


def world(rows, **names):
    frame = pd.DataFrame(rows, columns=["user_id", "order_id", "ordered_at", "amount", "community"])
    return cl.OrderLog.from_frame(frame, **{name: name for name in frame.columns}, observed_from="2025-01-01", **names)


def test_a_group_that_appears_is_payers_and_mix():
    log = world(
        [
            ("a", 1, "2025-01-05", 10.0, "east"),
            ("a", 2, "2025-02-05", 10.0, "east"),
            ("b", 3, "2025-02-06", 30.0, "west"),
        ]
    )
    tree = revenue_tree(log, as_of="2025-03-01", by="community")
    west = tree.table.set_index("community").loc["west"]
    assert west["change"] == 30.0
    assert west["payers"] + west["mix"] == 30.0
    assert (west["frequency"], west["order_value"]) == (0.0, 0.0)
    # East is as before: what more payers in all would bring, fewer of them being here takes away.
    east = tree.table.set_index("community").loc["east"]
    assert (east["payers"], east["mix"], east["change"]) == (7.5, -7.5, 0.0)


def test_a_refund_of_an_earlier_period_is_told_apart():
    log = world(
        [("a", 1, "2025-01-05", 10.0, "e"), ("a", 2, "2025-02-05", 10.0, "e"), ("a", 9, "2025-02-20", -4.0, "e")]
    )
    assert revenue_tree(log, as_of="2025-03-01").effects == {
        "payers": 0.0,
        "frequency": 0.0,
        "order_value": 0.0,
        "other": -4.0,
    }


def test_a_payer_of_two_groups_is_one_payer_of_the_whole():
    log = world(
        [("a", 1, "2025-01-05", 10.0, "e"), ("a", 2, "2025-02-05", 10.0, "e"), ("a", 3, "2025-02-06", 10.0, "w")]
    )
    tree = revenue_tree(log, as_of="2025-03-01", by="community")
    assert tree.total["payers_after"].iloc[0] == 1
    assert tree.effects["payers"] == 0.0
    assert tree.effects["mix"] == 10.0


def test_nothing_but_refunds_gives_zeros():
    log = world([("a", 1, "2025-01-05", -10.0, "e"), ("a", 2, "2025-02-05", -3.0, "e")])
    effects = revenue_tree(log, as_of="2025-03-01", by="community").effects
    assert effects == {"payers": 0.0, "mix": 0.0, "frequency": 0.0, "order_value": 0.0, "other": 7.0}


def test_an_incomplete_or_unseen_period_is_refused():
    log = world([("a", 1, "2025-01-05", 10.0, "e"), ("a", 2, "2025-02-05", 10.0, "e")])
    with pytest.raises(cl.InsufficientDataError, match="two whole periods"):
        revenue_tree(log, as_of="2025-02-28")
    assert revenue_tree(log, as_of="2025-03-15").after == "2025-02-01"


def test_all_faults_of_a_call_are_told_at_once():
    log = world([("a", 1, "2025-01-05", 10.0, "e")])
    with pytest.raises(cl.ConfigError) as told:
        revenue_tree(log, as_of="soon", period="fortnight", against=0, by="colour")
    assert all(word in str(told.value) for word in ("as_of", "fortnight", "against", "colour"))


def test_the_year_before_and_both_languages_and_figures():
    community = cl.datasets.make_community(n_users=150, seed=2)
    tree = revenue_tree(community.log, as_of=community.as_of, period="28D", against=3, by="community")
    assert "of which" in tree.sentence()
    assert "净收入" in tree.sentence("zh")
    assert tree.sentence() in repr(tree)
    assert "<table" in tree._repr_html_()
    for ax in (tree.plot(), tree.plot(by_group=True, lang="zh")):
        assert ax.get_title(loc="left")
    with pytest.raises(cl.ConfigError, match="groups"):
        revenue_tree(community.log, as_of=community.as_of, period="28D").plot(by_group=True)
