"""Frequent itemsets against a brute-force oracle, known counts, and two peers."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections import Counter
from fractions import Fraction
from pathlib import Path

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from commlife.basket import FrequentItemsets, frequent_itemsets
from commlife.errors import CommlifeError, ConfigError, InsufficientDataError, SchemaError

ALGORITHMS = ("numpy", "compiled")
baskets_strategy = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=7), min_size=1, max_size=25)


def brute_force(baskets, min_count, max_len=None, keep="all"):
    """Count every subset of every basket."""
    counts = Counter()
    for basket in baskets:
        items = sorted(set(basket))
        for length in range(1, len(items) + 1):
            counts.update(itertools.combinations(items, length))
    frequent = {itemset: count for itemset, count in counts.items() if count >= min_count}
    if keep != "all":
        frequent = {
            itemset: count
            for itemset, count in frequent.items()
            if not any(
                set(itemset) < set(other) and (keep == "maximal" or other_count == count)
                for other, other_count in frequent.items()
            )
        }
    return {itemset: count for itemset, count in frequent.items() if max_len is None or len(itemset) <= max_len}


def as_dict(sets: FrequentItemsets):
    frame = sets.to_frame()
    assert len(frame) == len(sets)
    assert not frame["itemset"].duplicated().any()
    return dict(zip(frame["itemset"], frame["count"], strict=True))


def groceries(shared: Path):
    with gzip.open(shared / "groceries.csv.gz", "rt", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("keep", ["all", "closed", "maximal"])
@given(baskets=baskets_strategy, min_count=st.integers(1, 6), max_len=st.none() | st.integers(1, 5))
def test_equals_counting_every_subset(baskets, min_count, max_len, keep, algorithm):
    sets = frequent_itemsets(baskets, min_count=min_count, max_len=max_len, keep=keep, algorithm=algorithm)
    assert as_dict(sets) == brute_force(baskets, min_count, max_len, keep)
    assert sets.algorithm == algorithm or sets.max_len == 1 or sum(map(len, sets.to_frame()["itemset"])) <= len(sets)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(seed=st.integers(0, 2**32 - 1))
def test_long_bitmaps_and_deep_branches(seed, algorithm):
    """Several hundred rows and itemsets of ten items: repacking, triangles, perfect extensions, several words."""
    rng = np.random.default_rng(seed)
    n_rows, n_items = int(rng.integers(150, 700)), int(rng.integers(8, 13))
    matrix = rng.random((n_rows, n_items)) < rng.choice([0.05, 0.3, 0.6, 0.95, 1.0], n_items)
    twins = rng.integers(0, n_items, 2)
    matrix[:, twins[0]] = matrix[:, twins[1]]
    min_count = int(rng.integers(1, n_rows // 3))
    max_len = [None, 2, 3, 5][int(rng.integers(4))]
    bits = matrix @ (1 << np.arange(n_items))
    expected = {}
    for mask in range(1, 1 << n_items):
        count = int(((bits & mask) == mask).sum())
        items = tuple(code for code in range(n_items) if mask >> code & 1)
        if count >= min_count and len(items) <= (max_len or n_items):
            expected[items] = count
    sets = frequent_itemsets(matrix, min_count=min_count, max_len=max_len, algorithm=algorithm)
    assert as_dict(sets) == expected


@given(
    seed=st.integers(0, 2**32 - 1),
    n_rare=st.sampled_from([5, 60, 300]),
    n_common=st.integers(0, 9),
    max_len=st.none() | st.integers(2, 4),
)
def test_both_algorithms_agree_on_every_kind_of_data(seed, n_rare, n_common, max_len):
    """Rare items, common ones and both: pairs by walking and by columns, triples by row, bitmaps narrow and wide."""
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(20, 900))
    share = np.concatenate([rng.choice([0.003, 0.01, 0.03], n_rare), rng.choice([0.3, 0.5, 0.7], n_common)])
    matrix = rng.random((n_rows, share.size)) < share
    matrix[: n_rows // 10, :4] = True
    min_count = int(rng.integers(2, 6)) if n_common < 4 else max(2, n_rows // 15)
    walked, numpy_path = (
        frequent_itemsets(matrix, min_count=min_count, max_len=max_len, algorithm=algorithm).to_frame()
        for algorithm in ("compiled", "numpy")
    )
    pd.testing.assert_frame_equal(walked, numpy_path)


@given(baskets=baskets_strategy, seed=st.integers(0, 2**32 - 1))
def test_order_of_baskets_and_items_plays_no_part(baskets, seed):
    rng = np.random.default_rng(seed)
    shuffled = [list(rng.permutation(np.array(basket, dtype=object))) for basket in baskets]
    rng.shuffle(shuffled)
    first, second = (frequent_itemsets(rows, min_count=2).to_frame() for rows in (baskets, shuffled))
    pd.testing.assert_frame_equal(first, second)


@given(baskets=baskets_strategy)
def test_relabelling_items_relabels_itemsets(baskets):
    """Labels take no part in counting: a reversed alphabet gives the same sets under the new names."""
    new = dict(zip("abcdefg", "tsrqpon", strict=True))
    renamed = as_dict(frequent_itemsets([[new[item] for item in basket] for basket in baskets], min_count=2))
    plain = as_dict(frequent_itemsets(baskets, min_count=2))
    assert renamed == {tuple(sorted(new[item] for item in itemset)): count for itemset, count in plain.items()}


@given(baskets=baskets_strategy, min_count=st.integers(1, 5))
def test_every_kind_of_input_gives_the_same(baskets, min_count):
    expected = as_dict(frequent_itemsets(baskets, min_count=min_count))
    labels = sorted({item for basket in baskets for item in basket})
    codes = {label: code for code, label in enumerate(labels)}
    pairs = [(row, item) for row, basket in enumerate(baskets) for item in basket]
    matrix = np.zeros((len(baskets), len(labels)), dtype=bool)
    for row, item in pairs:
        matrix[row, codes[item]] = True

    def named(sets):
        return {tuple(labels[code] for code in itemset): count for itemset, count in as_dict(sets).items()}

    if labels:
        assert as_dict(frequent_itemsets(pd.DataFrame(matrix, columns=labels), min_count=min_count)) == expected
        whole = pd.DataFrame(matrix.astype(int), columns=labels)
        assert as_dict(frequent_itemsets(whole, min_count=min_count)) == expected
        assert named(frequent_itemsets(matrix, min_count=min_count)) == expected
        assert named(frequent_itemsets(matrix.astype(float), min_count=min_count)) == expected
        for kind in (sp.csr_matrix, sp.csc_array, sp.coo_array):
            assert named(frequent_itemsets(kind(matrix * 3), min_count=min_count)) == expected
    if pairs:
        rows, items = zip(*pairs, strict=True)
        long = pd.DataFrame({"basket": rows, "item": items})
        assert as_dict(frequent_itemsets(long, min_count=min_count)) == expected
        renamed = long.rename(columns={"basket": "ticket", "item": "sku"})
        assert as_dict(frequent_itemsets(renamed, min_count=min_count, basket="ticket", item="sku")) == expected


@pytest.mark.parametrize("backend", ["polars", "pyarrow", "duckdb"])
def test_every_kind_of_frame_gives_the_same(backend):
    long = pd.DataFrame({"basket": [1, 1, 2, 2, 3], "item": ["b", "a", "a", "b", "a"]})
    if backend == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        native = duckdb.connect().from_df(long.astype({"item": object}))
    else:
        pytest.importorskip(backend)
        native = nw.from_dict(long.to_dict("list"), backend=backend).to_native()
    assert as_dict(frequent_itemsets(native, min_count=2)) == {("a",): 3, ("b",): 2, ("a", "b"): 2}


@given(n=st.integers(1, 400), hundredths=st.integers(1, 100))
def test_a_share_is_taken_as_written(n, hundredths):
    """ceil(0.07 * 100) is 8 in floats."""
    baskets = [["a"]] * n
    exact = max(1, -(-hundredths * n // 100))
    for share in (
        hundredths / 100,
        Fraction(hundredths, 100),
        np.float64(hundredths / 100),
        np.float32(hundredths / 100),
    ):
        assert frequent_itemsets(baskets, min_support=share).min_count == exact


def test_canonical_order_by_length_then_count_then_items():
    frame = frequent_itemsets([["b", "a"], ["b", "a"], ["c"], ["b"], ["c"]], min_count=2).to_frame()
    assert list(frame.columns) == ["itemset", "length", "count", "support"]
    assert frame["itemset"].tolist() == [("b",), ("a",), ("c",), ("a", "b")]
    assert frame["count"].tolist() == [3, 2, 2, 2]
    assert frame["support"].tolist() == [0.6, 0.4, 0.4, 0.4]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_long_itemsets_sort_by_more_than_one_key(algorithm):
    """Thirteen items of many labels do not fit in one 64-bit key."""
    baskets = [[f"i{k:03d}" for k in range(13)]] * 3 + [[f"j{k:03d}"] for k in range(300)]
    frame = frequent_itemsets(baskets, min_count=3, algorithm=algorithm).to_frame()
    assert len(frame) == 2**13 - 1
    for _, part in frame.groupby("length"):
        assert part["itemset"].is_monotonic_increasing


def test_an_item_in_every_basket_is_listed():
    """Seen in a peer: an item with a support of 1 was left out."""
    assert as_dict(frequent_itemsets([["a", "b"], ["a"]], min_support=1.0)) == {("a",): 2}


def test_empty_baskets_count_in_the_denominator():
    sets = frequent_itemsets([["a"], [], [], []], min_support=0.25)
    assert sets.n_baskets == 4
    assert as_dict(sets) == {("a",): 1}
    assert len(frequent_itemsets([[], []], min_count=1)) == 0
    assert frequent_itemsets([[], []], min_count=1).to_frame().empty


def test_labels_of_several_types_and_numpy_scalars():
    frame = frequent_itemsets([[2, "b"], [np.int64(2), "b"], [("t", 1), 2]], min_count=1).to_frame()
    assert frame["itemset"].tolist() == [(2,), ("b",), (("t", 1),), (2, "b"), (2, ("t", 1))]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_odd_labels_stay_apart(algorithm):
    """Equal to the eye, not to the computer: composed and decomposed letters, blanks, an emoji, full width, nothing."""
    labels = ["é", "e\u0301", "a", "a ", "a\u00a0", "\uff21", "A", "", "\U0001f966", "豆腐", "\u200b", "1", "１"]
    baskets = [labels, labels[:7], [label for label in labels for _ in range(2)]]
    frame = frequent_itemsets(baskets, min_count=2, max_len=2, algorithm=algorithm).to_frame()
    assert set(frame[frame["length"] == 1]["itemset"]) == {(label,) for label in labels}
    assert len(frame) == 13 + 13 * 12 // 2
    assert frame["count"].tolist() == sorted(frame["count"], reverse=True) or set(frame["count"]) == {2, 3}


def test_one_basket_and_long_ones():
    assert len(frequent_itemsets([list("abc")], min_support=1.0)) == 7
    wide = frequent_itemsets([range(3_000), range(1_500), range(3_000)], min_count=3, max_len=2)
    assert len(wide) == 1_500 + 1_500 * 1_499 // 2
    assert set(wide.to_frame()["count"]) == {3}


def test_exclude_leaves_the_denominator():
    sets = frequent_itemsets([["bag", "a"], ["bag"], ["a", "bag"]], min_count=1, exclude=["bag"])
    assert as_dict(sets) == {("a",): 2}
    assert sets.n_baskets == 3
    with pytest.raises(ConfigError, match="Did you mean 'bag'"):
        frequent_itemsets([["bag"]], min_count=1, exclude=["bags"])


def test_count_of():
    sets = frequent_itemsets([["a", "b"], ["b", "a"], ["c"]], min_count=2)
    assert sets.count_of(["b", "a", "a"]) == 2
    assert sets.count_of(["a", "c"]) is None
    assert sets.count_of(["a", "b", "c"]) is None
    assert sets.count_of([]) is None
    for wrong in (["d"], "a", [["a"]]):
        with pytest.raises(ConfigError):
            sets.count_of(wrong)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_too_many_itemsets_suggest_a_threshold(algorithm):
    baskets = [list("abcdefghij")] * 4 + [["a", "b"]] * 4
    with pytest.raises(ConfigError, match=r"more than max_itemsets=100 .*min_count=5 .* gives 3"):
        frequent_itemsets(baskets, min_count=3, max_itemsets=100, algorithm=algorithm)
    with pytest.raises(ConfigError, match=r"descents\)\. Raise"):
        frequent_itemsets(baskets, min_count=8, max_itemsets=2, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["compiled", "numpy"])
def test_an_explosion_stops_early(algorithm):
    """200 items in nearly every basket: 2**200 itemsets; neither miner may try."""
    rng = np.random.default_rng(0)
    matrix = rng.random((100, 200)) < 0.99
    with pytest.raises(ConfigError, match="max_itemsets=1,000"):
        frequent_itemsets(matrix, min_count=20, max_itemsets=1_000, algorithm=algorithm)
    with pytest.raises(ConfigError, match="max_itemsets=5,000"):
        frequent_itemsets(np.ones((3, 100), dtype=bool), min_count=2, max_itemsets=5_000, algorithm=algorithm)
    capped = frequent_itemsets(np.ones((3, 100), dtype=bool), min_count=2, max_len=2, algorithm=algorithm)
    assert len(capped) == 100 + 100 * 99 // 2


@pytest.mark.parametrize(
    ("baskets", "error"),
    [
        ([], InsufficientDataError),
        (np.zeros((0, 3), dtype=bool), InsufficientDataError),
        (None, SchemaError),
        ("milk", SchemaError),
        (5, SchemaError),
        ({"a": ["b"]}, SchemaError),
        (["milk", "eggs"], SchemaError),
        ([1, 2], SchemaError),
        ([["a", None]], SchemaError),
        ([["a", float("nan")]], SchemaError),
        ([["a", pd.NA]], SchemaError),
        ([["a", ["b"]]], SchemaError),
        ([[True, False], [True, True]], SchemaError),
        (np.array([[0, 2]]), SchemaError),
        (np.array([[0.0, np.nan]]), SchemaError),
        (np.array([["a", "b"]]), SchemaError),
        (sp.csr_matrix([[1.0, -1.0]]), SchemaError),
        (sp.csr_matrix([[1.0, np.nan]]), SchemaError),
        (sp.csr_matrix([[1j]]), SchemaError),
        (sp.coo_array(np.array([1, 0, 1])), SchemaError),
        (pd.DataFrame({"baskt": [1], "item": ["a"]}), SchemaError),
        (pd.DataFrame({"basket": [1, None], "item": ["a", "b"]}), SchemaError),
        (pd.DataFrame({"basket": [1, 2], "item": ["a", None]}), SchemaError),
        (pd.DataFrame({"basket": [1, 2], "item": [True, False]}), SchemaError),
        (pd.DataFrame({"a": [1, 2], "b": [0, 1]}), SchemaError),
        (pd.DataFrame({"basket": pd.Series([], dtype=int), "item": pd.Series([], dtype=str)}), InsufficientDataError),
        (pd.DataFrame(), SchemaError),
        (pd.DataFrame({"baskt": [1, 0], "item": [0, 1]}), SchemaError),
        (pd.DataFrame([[True, False]], columns=["a", "a"]), SchemaError),
        (pd.DataFrame({"a": pd.array([True, None], dtype="boolean")}), SchemaError),
    ],
)
def test_faulty_baskets_are_told(baskets, error):
    with pytest.raises(error) as caught:
        frequent_itemsets(baskets, min_count=1)
    if error is SchemaError:
        assert list(caught.value.faults.columns) == ["fault", "column", "rows", "policy", "example", "fix"]
        assert len(caught.value.faults) >= 1


def test_a_missing_column_is_guessed():
    with pytest.raises(SchemaError, match=r"no column 'basket'\. Did you mean 'baskt'"):
        frequent_itemsets(pd.DataFrame({"baskt": ["x"], "item": ["a"]}), min_count=1)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"min_support": 0.1, "min_count": 2},
        {"min_support": 0.0},
        {"min_support": -0.1},
        {"min_support": 1.5},
        {"min_support": float("nan")},
        {"min_support": float("inf")},
        {"min_support": True},
        {"min_support": "0.1"},
        {"min_count": 0},
        {"min_count": 2.0},
        {"min_count": True},
        {"min_count": 1, "max_len": 0},
        {"min_count": 1, "max_len": 2.5},
        {"min_count": 1, "max_itemsets": 0},
        {"min_count": 1, "max_itemsets": 2**40},
        {"min_count": 1, "keep": "close"},
        {"min_count": 1, "algorithm": "apriory"},
        {"min_count": 1, "as_of": "2025-01-01"},
        {"min_count": 1, "exclude": "a"},
    ],
)
def test_wrong_arguments_are_config_errors(arguments):
    with pytest.raises(ConfigError) as caught:
        frequent_itemsets([["a", "b"]], **arguments)
    assert isinstance(caught.value, CommlifeError)


def test_the_same_column_twice():
    with pytest.raises(ConfigError, match="same column"):
        frequent_itemsets(pd.DataFrame({"basket": ["x"], "item": ["a"]}), min_count=1, item="basket")


def test_the_input_is_not_changed():
    baskets = [["b", "a", "a"], ["a"]]
    matrix = sp.csr_matrix(np.array([[1.0, 0.0], [2.0, 1.0]]))
    before = matrix.copy()
    frequent_itemsets(baskets, min_count=1)
    frequent_itemsets(matrix, min_count=1)
    assert baskets == [["b", "a", "a"], ["a"]]
    assert (matrix != before).nnz == 0


def test_repr_says_what_it_holds():
    sets = frequent_itemsets([["a", "b"], ["a"]], min_count=1)
    assert repr(sets) == "FrequentItemsets(3 itemsets in at least 1 of 2 baskets, up to 2 items)"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("min_count", "itemsets"), [(99, 333), (10, 13_492)])
def test_groceries_known_counts(shared, algorithm, min_count, itemsets):
    """Groceries of arules: 9,835 baskets, 169 items; counts computed with pyfim, rusket, mlxtend and arules."""
    sets = frequent_itemsets(groceries(shared), min_count=min_count, algorithm=algorithm)
    assert sets.n_baskets == 9_835
    assert len(sets.items) == 169
    assert len(sets) == len(sets.to_frame()) == itemsets


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_groceries_agree_with_two_peers(shared, algorithm):
    """pyfim and efficient-apriori, itemset by itemset; no item of Groceries is in every basket, which pyfim drops."""
    fim = pytest.importorskip("fim")
    efficient_apriori = pytest.importorskip("efficient_apriori")
    baskets = groceries(shared)
    ours = as_dict(frequent_itemsets(baskets, min_count=40, algorithm=algorithm))
    theirs = {tuple(sorted(itemset)): count for itemset, count in fim.eclat(baskets, supp=-40, zmin=1, report="a")}
    levels, _ = efficient_apriori.itemsets_from_transactions([tuple(b) for b in baskets], min_support=40 / 9_835)
    third = {tuple(sorted(itemset)): count for level in levels.values() for itemset, count in level.items()}
    assert ours == theirs == third


@pytest.mark.parametrize(("keep", "target"), [("closed", "c"), ("maximal", "m")])
def test_groceries_condensed_agree_with_a_peer(shared, keep, target):
    fim = pytest.importorskip("fim")
    baskets = groceries(shared)
    ours = as_dict(frequent_itemsets(baskets, min_count=20, keep=keep))
    theirs = {tuple(sorted(i)): count for i, count in fim.eclat(baskets, target=target, supp=-20, zmin=1, report="a")}
    assert ours == theirs


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, float, str, object])
@pytest.mark.parametrize("in_order", [True, False])
def test_columns_of_any_kind_are_read_alike(kind, in_order):
    """Lines of one basket together or apart, in numbers or in text: an item is counted by its value alone."""
    rng = np.random.default_rng(11)
    basket = rng.integers(0, 40, 300)
    lines = pd.DataFrame({"basket": np.sort(basket) if in_order else basket, "item": rng.integers(1, 9, 300)})
    of_lists = [sorted(set(items)) for _, items in lines.groupby("basket")["item"]]
    wanted = {
        tuple(kind(item) if kind is not object else item for item in items): count
        for items, count in frequent_itemsets(of_lists, min_count=3).to_frame()[["itemset", "count"]].to_numpy()
    }
    found = frequent_itemsets(lines.astype(kind), min_count=3).to_frame()
    assert dict(zip(found["itemset"], found["count"], strict=True)) == wanted
    assert {type(item) for items in found["itemset"] for item in items} <= {int, float, str}


def test_a_missing_number_is_a_fault_wherever_it_stands():
    lines = pd.DataFrame({"basket": [1.0, 1.0, np.nan, np.nan, 2.0, 2.0], "item": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]})
    with pytest.raises(SchemaError, match="basket: null, 2 rows, first at row 2"):
        frequent_itemsets(lines, min_count=1)
    with pytest.raises(SchemaError, match="null, 2 rows, first at row 2"):
        frequent_itemsets(lines, basket="item", item="basket", min_count=1)
