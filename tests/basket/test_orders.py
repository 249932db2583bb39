"""What is read from an OrderLog: baskets, attach rate, units per order, product heat."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife.basket import association_rules, attach_rate, frequent_itemsets, product_heat, units_per_order
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders import OrderLog

AS_OF = "2025-03-05"
lines_strategy = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3"]),
        st.integers(1, 4),
        st.sampled_from(["rice", "eggs", "tea", "salt"]),
        st.integers(-300, 900),
        st.integers(0, 5),
        st.integers(1, 6),
        st.sampled_from(["East", "West"]),
    ),
    min_size=1,
    max_size=30,
)
NAMES = ["user", "order", "sku", "cents", "pieces", "march", "estate"]


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=NAMES)
    frame["paid"] = frame["cents"] / 100
    frame["cost"] = 0.5
    frame["class"] = frame["sku"].map({"rice": "dry", "tea": "dry", "salt": "dry", "eggs": "fresh"})
    frame["at"] = pd.to_datetime("2025-03-01") + pd.to_timedelta(frame["march"] - 1, unit="D")
    return frame


def log_of(frame, **columns):
    named = {"order_id": "order", "item_id": "sku", "category": "class", "quantity": "pieces", "community": "estate"}
    named |= {"cost": "cost"}
    named |= columns
    return OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", **named)


def by_hand(rows):
    """Orders that count before as_of: their lines, and the items that were kept."""
    orders = defaultdict(list)
    for row in rows:
        if row[5] < 5:
            orders[row[:2]].append(row)
    counting = {}
    for key, lines in orders.items():
        money = [line[3] for line in lines]
        if sum(money) > 0 or (sum(money) == 0 and min(money) >= 0):
            held = set()
            for item in {line[2] for line in lines}:
                own = [line[3] for line in lines if line[2] == item]
                if sum(own) > 0 or (sum(own) == 0 and min(own) >= 0):
                    held.add(item)
            counting[key] = (lines, held)
    return counting


@settings(max_examples=20)
@given(rows=lines_strategy, returns=st.booleans())
def test_baskets_are_the_orders_that_count(rows, returns):
    """Also where no line is negative, and none needs to be summed."""
    if not returns:
        rows = [(*row[:3], max(0, row[3]), *row[4:]) for row in rows]
    counting = by_hand(rows)
    log = log_of(frame_of(rows))
    if not counting:
        with pytest.raises(InsufficientDataError):
            frequent_itemsets(log, as_of=AS_OF, min_count=1)
        return
    sets = frequent_itemsets(log, as_of=AS_OF, min_count=1)
    expected = frequent_itemsets([sorted(held) for _, held in counting.values()], min_count=1)
    pd.testing.assert_frame_equal(sets.to_frame(), expected.to_frame())
    assert sets.n_baskets == len(counting)


@settings(max_examples=20)
@given(rows=lines_strategy)
def test_units_per_order_by_hand(rows):
    counting = by_hand(rows)
    log = log_of(frame_of(rows))
    if not counting:
        with pytest.raises(InsufficientDataError):
            units_per_order(log, as_of=AS_OF)
        return
    frame = units_per_order(log, as_of=AS_OF)
    lines = [line for content, _ in counting.values() for line in content]
    units = sum(-line[4] if line[3] < 0 else line[4] for line in lines)
    assert frame.loc[0].to_dict() == {
        "orders": len(counting),
        "lines": len(lines),
        "units": units,
        "units_per_order": units / len(counting),
        "lines_per_order": len(lines) / len(counting),
    }
    groups = units_per_order(log, as_of=AS_OF, by="community")
    assert groups[["orders", "lines", "units"]].sum().tolist() == [len(counting), len(lines), units]
    assert groups["community"].is_monotonic_increasing


@settings(max_examples=20)
@given(rows=lines_strategy)
def test_attach_rate_by_hand(rows):
    counting = by_hand(rows)
    held = [items for _, items in counting.values()]
    known = set().union(*held) if held else set()
    if not {"rice", "eggs"} <= known:
        return
    result = attach_rate(log_of(frame_of(rows)), as_of=AS_OF, anchor="rice", addon=["eggs"])
    anchors = sum("rice" in items for items in held)
    both = sum({"rice", "eggs"} <= items for items in held)
    addons = sum("eggs" in items for items in held)
    assert (result.orders, result.anchor_orders, result.attached_orders, result.addon_orders) == (
        len(held), anchors, both, addons)  # fmt: skip
    assert float(result) == result.rate == both / anchors
    assert 0 <= result.low <= result.rate <= result.high <= 1
    assert result.lift == pytest.approx(both / anchors / (addons / len(held)))
    assert result.to_frame().loc[0, "attached_orders"] == both


@settings(max_examples=20)
@given(rows=lines_strategy)
def test_product_heat_by_hand(rows):
    log = log_of(frame_of(rows))
    seen = [row for row in rows if row[5] < 5]
    if not seen:
        with pytest.raises(InsufficientDataError):
            product_heat(log, as_of=AS_OF)
        return
    heat = product_heat(log, as_of=AS_OF, top=None).set_index("item")
    counting = by_hand(rows)
    money, units, lines = Counter(), Counter(), Counter()
    for row in seen:
        money[row[2]] += row[3]
        units[row[2]] += -row[4] if row[3] < 0 else row[4]
        lines[row[2]] += 1
    assert heat["amount"].to_dict() == {item: money[item] / 100 for item in lines}
    assert heat["units"].to_dict() == {item: units[item] for item in lines}
    assert heat["margin"].to_dict() == {item: (money[item] - 50 * lines[item]) / 100 for item in lines}
    for item in lines:
        holders = {key for key, (_, held) in counting.items() if item in held}
        assert heat.loc[item, "orders"] == len(holders)
        assert heat.loc[item, "users"] == len({user for user, _ in holders})
    assert heat["rank"].tolist() == list(range(1, len(heat) + 1))
    assert heat["amount"].is_monotonic_decreasing
    total = sum(value for value in money.values() if value > 0)
    running = 0
    for item, row in heat.iterrows():
        share_before = running / total if total else 1
        running += max(0, money[item])
        expected = "C" if money[item] <= 0 or share_before >= 0.95 else "B" if share_before >= 0.8 else "A"
        if total:
            assert row["share"] == pytest.approx(money[item] / total)
            if min(abs(share_before - 0.8), abs(share_before - 0.95)) > 1e-9:
                assert row["abc_class"] == expected
        else:
            assert np.isnan(row["share"])
            assert row["abc_class"] == "C"


@settings(max_examples=8)
@given(rows=lines_strategy, seed=st.integers(0, 2**32 - 1))
def test_row_order_and_later_rows_change_nothing(rows, seed):
    frame = frame_of(rows)
    later = frame.assign(at=pd.Timestamp("2025-03-05"))
    shuffled = pd.concat([frame, later]).sample(frac=1, random_state=seed).reset_index(drop=True)
    if not by_hand(rows):
        return
    logs = log_of(frame), log_of(shuffled)
    for call in (
        lambda log: frequent_itemsets(log, as_of=AS_OF, min_count=1, level="category").to_frame(),
        lambda log: units_per_order(log, as_of=AS_OF, by="community"),
        lambda log: product_heat(log, as_of=AS_OF, by="users"),
    ):
        pd.testing.assert_frame_equal(*map(call, logs))


@pytest.fixture
def small():
    rows = [
        ("u1", 1, "rice", 500, 2, 1, "East"),
        ("u1", 1, "eggs", 300, 1, 1, "East"),
        ("u2", 1, "rice", 500, 1, 2, "West"),
        ("u2", 1, "tea", 900, 1, 2, "West"),
        ("u3", 2, "rice", -500, 1, 3, "West"),
    ]
    return frame_of(rows)


def test_without_order_id_each_row_is_an_order(small):
    log = log_of(small, order_id=None)
    sets = frequent_itemsets(log, as_of=AS_OF, min_count=1)
    assert sets.n_baskets == 4
    assert dict(sets.to_frame()[["itemset", "count"]].itertuples(index=False)) == {
        ("rice",): 2,
        ("eggs",): 1,
        ("tea",): 1,
    }
    assert units_per_order(log, as_of=AS_OF)["units_per_order"].tolist() == [5 / 4]
    assert product_heat(log, as_of=AS_OF).set_index("item")["orders"].to_dict() == {"tea": 1, "rice": 2, "eggs": 1}


def test_levels(small):
    log = log_of(small)
    assert attach_rate(log, as_of=AS_OF, anchor="dry", addon="fresh", level="category").rate == 0.5
    only_category = log_of(small, item_id=None)
    assert attach_rate(only_category, as_of=AS_OF, anchor="dry", addon="fresh").rate == 0.5
    assert product_heat(only_category, as_of=AS_OF)["item"].tolist() == ["dry", "fresh"]
    assert product_heat(log, as_of=AS_OF, level="category", top=1)["item"].tolist() == ["dry"]


def test_classes_end_where_what_came_before_reaches_80_and_95_percent():
    rows = [("u1", 1, name, cents, 1, 1, "East") for name, cents in zip("abcd", (7_950, 1_500, 500, 50), strict=True)]
    heat = product_heat(log_of(frame_of(rows)), as_of=AS_OF)
    assert heat["abc_class"].tolist() == ["A", "A", "B", "C"]
    rows[0:2] = [("u1", 1, "a", 8_000, 1, 1, "East"), ("u1", 1, "b", 1_450, 1, 1, "East")]
    assert product_heat(log_of(frame_of(rows)), as_of=AS_OF)["abc_class"].tolist() == ["A", "B", "B", "C"]


def test_a_group_that_the_log_does_not_name_is_told_with_the_nearest_name(small):
    with pytest.raises(ConfigError, match=r"by .*'comunity'.*Did you mean 'community'"):
        units_per_order(log_of(small), as_of=AS_OF, by="comunity")


def test_heat_without_cost_and_quantity(small):
    log = log_of(small, cost=None, quantity=None)
    columns = ["rank", "item", "amount", "orders", "users", "share", "cumulative_share", "abc_class"]
    assert product_heat(log, as_of=AS_OF).columns.tolist() == columns
    for by in ("margin", "units"):
        with pytest.raises(ConfigError, match="needs the column"):
            product_heat(log, as_of=AS_OF, by=by)
    with pytest.raises(ConfigError, match="quantity"):
        units_per_order(log, as_of=AS_OF)


def test_lines_without_an_item_are_told(small):
    small.loc[1, "sku"] = None
    log = log_of(small)
    with pytest.warns(ModelWarning, match="1 of 4 entries have no item_id"):
        sets = frequent_itemsets(log, as_of=AS_OF, min_count=1)
    assert sets.n_baskets == 2
    without_returns = log_of(small[small["cents"] > 0])
    with pytest.warns(ModelWarning, match="1 of 4 entries have no item_id") as told:
        same = frequent_itemsets(without_returns, as_of=AS_OF, min_count=1)
    assert told[0].filename == __file__
    pd.testing.assert_frame_equal(same.to_frame(), sets.to_frame())
    with pytest.warns(ModelWarning, match="1 of 5 entries"):
        heat = product_heat(log, as_of=AS_OF)
    assert set(heat["item"]) == {"rice", "tea"}


@pytest.mark.parametrize("returns", [True, False])
@pytest.mark.parametrize("engine", ["polars", "duckdb", "pyarrow"])
def test_every_engine_gives_the_same(small, engine, returns):
    small = small if returns else small[small["cents"] > 0]
    if engine == "polars":
        native = pytest.importorskip("polars").from_pandas(small)
    elif engine == "pyarrow":
        native = pytest.importorskip("pyarrow").Table.from_pandas(small)
    else:
        native = pytest.importorskip("duckdb").from_df(
            small.astype(dict.fromkeys(("user", "sku", "estate", "class"), object))
        )
    plain, other = log_of(small), log_of(native)
    for call in (
        lambda log: frequent_itemsets(log, as_of=AS_OF, min_count=1).to_frame(),
        lambda log: units_per_order(log, as_of=AS_OF, by="community"),
        lambda log: product_heat(log, as_of=AS_OF),
        lambda log: attach_rate(log, as_of=AS_OF, anchor="rice", addon="eggs").to_frame(),
    ):
        pd.testing.assert_frame_equal(call(plain), call(other), check_dtype=False)


@pytest.mark.parametrize(
    "call",
    [
        lambda log: frequent_itemsets(log, min_count=1),
        lambda log: frequent_itemsets(log, as_of=AS_OF, min_count=1, level="sku"),
        lambda log: attach_rate(log, as_of=AS_OF, anchor="rise", addon="eggs"),
        lambda log: attach_rate(log, as_of=AS_OF, anchor="rice", addon="rice"),
        lambda log: attach_rate(log, as_of=AS_OF, anchor=[], addon="rice"),
        lambda log: attach_rate(log, as_of=AS_OF, anchor="rice", addon="eggs", level="x"),
        lambda log: units_per_order(log, as_of=AS_OF, by="comunity"),
        lambda log: units_per_order(log, as_of=AS_OF, by="quantity"),
        lambda log: units_per_order(log, as_of=AS_OF, by=3),
        lambda log: product_heat(log, as_of=AS_OF, by="money"),
        lambda log: product_heat(log, as_of=AS_OF, top=0),
        lambda log: product_heat(log, as_of="yesterday"),
        lambda log: product_heat(log.to_native(), as_of=AS_OF),
        lambda log: units_per_order(None, as_of=AS_OF),
        lambda log: attach_rate([["a"]], as_of=AS_OF, anchor="a", addon="b"),
    ],
)
def test_wrong_arguments_are_config_errors(small, call):
    with pytest.raises(ConfigError):
        call(log_of(small))


def test_what_was_bought_for_a_cent_or_for_nothing_is_in_the_basket_and_what_came_back_is_not():
    frame = pd.DataFrame(
        {
            "user": 1, "order": [1, 1, 1, 1, 2], "sku": ["cent", "free", "back", "back", "tea"], "at": "2025-03-01",
            "paid": [0.01, 0.0, 5.0, -5.0, 3.0],
        }
    )  # fmt: skip
    log = OrderLog.from_frame(frame, user_id="user", order_id="order", item_id="sku", ordered_at="at", amount="paid")
    found = frequent_itemsets(log, as_of=AS_OF, min_count=1, max_len=1).to_frame()
    assert sorted(item for (item,) in found["itemset"]) == ["cent", "free", "tea"]


def test_a_gift_is_a_basket_where_each_row_is_an_order():
    frame = pd.DataFrame(
        {"user": [1, 2, 3], "sku": ["gift", "tea", "back"], "at": "2025-03-01", "paid": [0.0, 3.0, -3.0]}
    )
    log = OrderLog.from_frame(frame, user_id="user", item_id="sku", ordered_at="at", amount="paid")
    found = frequent_itemsets(log, as_of=AS_OF, min_count=1).to_frame()
    assert sorted(item for (item,) in found["itemset"]) == ["gift", "tea"]


def test_groups_speak_of_baskets_without_one_only_where_there_are_any():
    frame = pd.DataFrame(
        {"user": [1, 2], "sku": ["a", "b"], "at": "2025-03-01", "paid": 3.0, "estate": ["East", "West"]}
    )
    names = {"user_id": "user", "item_id": "sku", "ordered_at": "at", "amount": "paid", "community": "estate"}
    groups = frequent_itemsets(OrderLog.from_frame(frame, **names), as_of=AS_OF, min_count=1, by="community")
    assert repr(groups) == "ItemsetsByGroup(2 groups by community; 2 itemsets)"


def test_a_share_that_may_be_nothing_is_told_apart_from_one_that_may_not():
    sets = frequent_itemsets([["a", "b"], ["a"]], min_count=1)
    with pytest.raises(ConfigError, match=r"min_support is a fraction in \(0, 1\]; seen 0 "):
        frequent_itemsets([["a"]], min_support=0)
    with pytest.raises(ConfigError, match=r"min_confidence is a fraction in \[0, 1\]; seen -1 "):
        association_rules(sets, min_confidence=-1)
