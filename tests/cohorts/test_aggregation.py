"""Measures of the host's own, and cohorts by what a first order held: by hand, on every engine, under every law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.cohorts import Aggregation, CohortQuestion, cohort_table, retention_alerts

NAMES = {
    "user_id": "user", "order_id": "order", "ordered_at": "at", "amount": "paid", "item_id": "item",
    "category": "class", "coupon_id": "coupon", "quantity": "pieces", "community": "estate",
}  # fmt: skip

OWN = (
    {"margin": ("margin", "sum")},
    {"paid": ("amount", "sum")},
    {"price": ("amount", "mean")},
    {"least": ("margin", "min")},
    {"largest": ("amount", "max")},
    {"classes": ("category", "distinct")},
    {"pieces": ("quantity", "sum")},
    {"large": lambda row: row["amount"] >= 20},
    {"margin an order": lambda row: row["margin"] / row["orders"]},
    {"margin of paid": lambda row: row["margin"] / row["amount"]},
    {"lines": lambda row: row["lines"]},
)


def export(seed: int = 0, n: int = 300, users: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    order = np.sort(rng.integers(0, n // 2, n))
    user = rng.integers(0, users, n)[order]
    return pd.DataFrame(
        {
            "user": user,
            "order": order,
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 120 * 24, n)[order], unit="h"),
            "paid": np.where(rng.random(n) < 0.1, 0, rng.integers(-900, 5000, n)) / 100,
            "item": np.array(["a", "b", "c", None], dtype=object)[rng.integers(0, 4, n)],
            "class": np.array(["fruit", "meat"])[rng.integers(0, 2, n)],
            "coupon": np.array(["five", None, None], dtype=object)[rng.integers(0, 3, n)],
            "pieces": rng.integers(1, 5, n),
            "estate": np.array(["east", "west"])[user % 2],
            "margin": np.where(rng.random(n) < 0.1, np.nan, rng.integers(-500, 3000, n) / 1000),
        }
    )


def make_log(frame: object) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame, **NAMES, keep=["margin"])


def table(frame: object, measure: dict, **asked) -> pd.DataFrame:
    return cohort_table(make_log(frame), **{"as_of": "2025-04-20", "measure": measure, **asked}).to_frame()


# -- by hand --------------------------------------------------------------------------------------------------------------

BY_HAND = pd.DataFrame(
    {
        "user": [1, 1, 1, 2, 2, 3],
        "order": [10, 10, 11, 20, 21, 30],
        "at": pd.to_datetime(["2025-01-06", "2025-01-06", "2025-01-14", "2025-01-07", "2025-01-15", "2025-01-13"]),
        "paid": [8.0, 12.0, 30.0, 5.0, 1.0, 40.0],
        "item": ["b", "a", "a", None, "c", "c"],
        "class": ["meat", "fruit", "fruit", "meat", "meat", "meat"],
        "coupon": [None, "five", None, None, "five", None],
        "pieces": [1, 2, 3, 1, 1, 2],
        "estate": "east",
        "margin": [1.0, 2.5, 3.0, np.nan, 0.5, 4.0],
    }
)


@pytest.mark.parametrize(
    ("measure", "value", "size"),
    [
        # Week of 6 January: users 1 and 2; age 0, then age 1. Users, and what they are out of.
        ({"margin": ("margin", "sum")}, [3.5, 3.5], [2, 2]),
        ({"price": ("amount", "mean")}, [25.0, 31.0], [3, 2]),
        ({"margin a line": ("margin", "mean")}, [3.5, 3.5], [2, 2]),
        ({"largest": ("amount", "max")}, [17.0, 31.0], [2, 2]),
        ({"least": ("amount", "min")}, [13.0, 31.0], [2, 2]),
        ({"items": ("item_id", "distinct")}, [2.0, 2.0], [1, 2]),
        ({"pieces": ("quantity", "sum")}, [4.0, 4.0], [2, 2]),
        ({"pieces a line": lambda row: row["quantity"] / row["lines"]}, [2.5, 4.0], [2, 2]),
        ({"paid an order": lambda row: row["amount"] / row["orders"]}, [25.0, 31.0], [2, 2]),
        ({"margin of none": lambda row: row["margin"] / (row["orders"] - 1)}, [0.0, 0.0], [2, 2]),
    ],
)
def test_measures_by_hand(measure, value, size):
    cells = table(BY_HAND, measure, as_of="2025-01-20", period="week")
    first = cells[cells["cohort"] == "2025-01-06"]
    assert first["value"].tolist() == value
    assert first["size"].tolist() == size
    assert first["rate"].tolist() == [v / s for v, s in zip(value, size, strict=True)]
    assert first["low"].isna().all()


def test_what_is_true_or_false_counts_users_with_an_interval():
    cells = table(BY_HAND, {"twenty": lambda row: row["amount"] >= 20}, as_of="2025-01-20", period="week")
    assert cells["users"].tolist() == [1, 1, 1]
    assert cells["size"].tolist() == [2, 2, 1]
    assert "value" not in cells
    assert ((cells["low"] < cells["rate"]) | (cells["rate"] == 0)).all()


def test_the_paid_lines_of_counting_orders_are_what_revenue_is_made_of():
    """Without refunds the sum of amounts is revenue, cell by cell."""
    frame = export(3).assign(paid=lambda each: each["paid"].abs())
    own, known = table(frame, {"paid": ("amount", "sum")}), table(frame, "revenue")
    assert own["value"].to_numpy() == pytest.approx(known["value"].to_numpy(), nan_ok=True)
    again = table(frame, {"paid": lambda row: row["amount"]})
    assert again["value"].to_numpy() == pytest.approx(known["value"].to_numpy(), nan_ok=True)
    orders = table(frame, {"orders made": lambda row: row["orders"]})
    assert orders["value"].equals(table(frame, "orders")["value"])


def test_orders_without_numbers():
    frame = BY_HAND.drop(columns="order")
    names = {name: column for name, column in NAMES.items() if name != "order_id"}
    log = cl.OrderLog.from_frame(frame, **names, keep=["margin"])
    cells = cohort_table(log, as_of="2025-01-20", period="week", measure={"margin": ("margin", "sum")}).to_frame()
    assert cells["value"].tolist() == [3.5, 3.5, 4.0]
    cells = cohort_table(log, as_of="2025-01-20", period="week", measure={"n": lambda row: row["orders"]}).to_frame()
    assert cells["value"].tolist() == [3, 2, 1]
    by_item = cohort_table(log, as_of="2025-01-20", period="week", by="item_id").to_frame()
    assert by_item.loc[by_item["age"] == 0, ["item_id", "size"]].fillna("none").to_numpy().tolist() == [
        ["a", 1.0], ["c", 1.0], ["none", 1.0],
    ]  # fmt: skip


def test_the_first_item_is_the_one_that_cost_most():
    """User 1 spent 8 on b and 12 on a at once; of two lines of one item the money is summed."""
    cells = table(BY_HAND, "retention", as_of="2025-01-20", period="week", by="item_id")
    assert cells.loc[cells["age"] == 0, ["item_id", "size"]].fillna("none").to_numpy().tolist() == [
        ["a", 1.0], ["c", 1.0], ["none", 1.0],
    ]  # fmt: skip
    more = pd.concat([BY_HAND, BY_HAND.iloc[[0]]], ignore_index=True)
    cells = table(more, "retention", as_of="2025-01-20", period="week", by="item_id")
    assert cells["item_id"].tolist()[:2] == ["b", "b"]
    tied = BY_HAND.assign(paid=[12.0, 12.0, *BY_HAND["paid"][2:]])
    assert table(tied, "retention", as_of="2025-01-20", period="week", by="item_id")["item_id"][0] == "a"
    classes = table(BY_HAND, "retention", as_of="2025-01-20", period="week", cohort="category")
    assert classes.loc[classes["age"] == 0, ["cohort", "size"]].to_numpy().tolist() == [["fruit", 1.0], ["meat", 2.0]]


def test_the_first_coupon_makes_cohorts():
    cells = table(BY_HAND, "retention", as_of="2025-01-20", period="week", cohort="coupon_id")
    assert cells.loc[cells["age"] == 0, ["cohort", "size"]].fillna("none").to_numpy().tolist() == [
        ["five", 1.0], ["none", 2.0],
    ]  # fmt: skip


# -- engines and laws -------------------------------------------------------------------------------------------------------


def every_table(frame: object) -> list[pd.DataFrame]:
    """A table of each measure of one's own, and of each attribute of a first order."""
    log = make_log(frame)
    asked = [{"measure": measure, "by": "community"} for measure in OWN]
    asked += [{"by": by} for by in ("item_id", "category", "coupon_id", "subsidised")]
    return [cohort_table(log, as_of="2025-04-20", **each).cells for each in asked]


@pytest.fixture(scope="module")
def wanted() -> list[pd.DataFrame]:
    return every_table(export(1, n=100))


def test_engines_agree(engine, wanted):
    for found, plain in zip(every_table(engine(export(1, n=100))), wanted, strict=True):
        pd.testing.assert_frame_equal(found, plain, check_dtype=False, check_exact=True)


@settings(max_examples=3)
@given(st.integers(0, 10_000), st.sampled_from(OWN), st.sampled_from([None, "item_id", "community"]))
def test_rows_names_and_the_future_do_not_matter(seed, measure, by):
    frame = export(seed, n=80, users=12)
    wanted = table(frame, measure, by=by)
    shuffled = frame.sample(frac=1.0, random_state=seed)
    pd.testing.assert_frame_equal(table(shuffled, measure, by=by), wanted)
    relabelled = frame.assign(user=1_000 - frame["user"], order=10_000 - frame["order"])
    pd.testing.assert_frame_equal(table(relabelled, measure, by=by), wanted)
    later = frame.assign(at=frame["at"] + pd.Timedelta(days=400), order=frame["order"] + 10_000)
    pd.testing.assert_frame_equal(table(pd.concat([frame, later]), measure, by=by), wanted)
    renamed = frame.rename(columns={"user": "phone", "class": "kind", "paid": "net"})
    names = {**NAMES, "user_id": "phone", "category": "kind", "amount": "net"}
    log = cl.OrderLog.from_frame(renamed, **names, keep=["margin"])
    again = cohort_table(log, as_of="2025-04-20", measure=measure, by=by).to_frame()
    pd.testing.assert_frame_equal(again, wanted)


# -- what it is, what is refused ----------------------------------------------------------------------------------------------


def test_the_question_stays_plain_data():
    found = cohort_table(make_log(export()), as_of="2025-04-20", measure={"margin": ("margin", "sum")})
    assert "CohortTable(margin, month," in repr(found)
    assert found.question.measure == Aggregation(name="margin", column="margin", how="sum")
    assert CohortQuestion.from_json(found.question.to_json()) == found.question
    assert found.wide("value").shape[1] == 4
    complete = found.cells.dropna(subset=["size"])
    assert found.pooled()["value"].sum() == pytest.approx(complete["value"].sum())
    assert found.plot("value").get_title(loc="left") == "Margin: value by cohort and age"
    with pytest.raises(cl.ConfigError, match="the table's measure 'margin' is unknown"):
        retention_alerts(found)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ({}, "seen 0 of them"),
        ({"a": ("margin", "sum"), "b": ("margin", "sum")}, "seen 2 of them"),
        ({"rate": ("margin", "sum")}, "the name is a text other than"),
        ({5: ("margin", "sum")}, "the name is a text"),
        ({"a": "margin"}, "a measure of your own is"),
        ({"a": ("margin", "median")}, "how 'median' is unknown"),
        ({"a": ("margn", "sum")}, "Did you mean 'margin'"),
        ({"a": ("category", "sum")}, "holds numbers"),
        ({"a": lambda row: row["category"]}, "holds numbers"),
        ({"a": lambda row: row["nothing"]}, "the column 'nothing' is unknown"),
        ({"a": lambda row: 5}, "it returned int"),
        ({"a": lambda row: row[5]}, "asked for by name"),
        ({"a": lambda row: [*row]}, "cannot be listed"),
        ({"a": lambda row: row["orders"].str.len_chars()}, "cannot be computed"),
    ],
)
def test_bad_measures(measure, message):
    with pytest.raises(cl.ConfigError, match=message):
        table(export(), measure)
