"""OrderLog: what it takes, what it refuses and how it says so, what it never loses."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
from commlife import testing
from commlife._engine import collect
from commlife._masks import mask

BASIC = {"user_id": "u", "ordered_at": "t", "amount": "m"}


def frame_of(**columns):
    base = {"u": ["a", "b", "a"], "t": ["2025-01-01", "2025-01-02", "2025-01-03"], "m": [1.0, 2.0, 3.0]}
    return pd.DataFrame({**base, **columns})


# -- nothing is lost -------------------------------------------------------------------------------------------------

broken_values = {
    "u": st.sampled_from(["a", "b", None, ""]),
    "t": st.sampled_from(["2025-01-01", "2025-01-02T10:00", "helo", None, "1812-01-01", "2025-06-01"]),
    "m": st.sampled_from([1.0, 0.0, -2.5, np.nan, np.inf, 1e300, 1.001]),
}


@given(
    st.lists(st.fixed_dictionaries(broken_values), min_size=1, max_size=12),
    st.sampled_from(["keep", "set_aside"]),
)
def test_rows_are_conserved(rows, duplicates):
    frame = pd.DataFrame(rows, columns=["u", "t", "m"]).astype({"u": "str", "t": "str", "m": "float64"})
    before = frame.copy()
    policies = {name: "set_aside" for name, kind in cl.orders.FAULTS.items() if "set_aside" in kind.allowed}
    log = cl.OrderLog.from_frame(
        frame, **BASIC, observed_until="2025-05-01", on_fault={**policies, "duplicate_line": duplicates}
    )
    assert log.n_rows + len(log.set_aside) == len(frame)
    sound = (
        frame["m"].isin([1.0, 0.0, -2.5]) & frame["u"].isin(["a", "b"]) & frame["t"].str.match("2025-01").fillna(False)
    )
    assert log.n_rows == (sound.sum() if duplicates == "keep" else len(frame[sound].drop_duplicates()))
    pd.testing.assert_frame_equal(frame, before)
    again = log.clean(cl.CleaningRules(drop_zero_amount=True, merge_within="1D", winsorize_amount=0.9))
    assert again.n_rows + len(again.set_aside) == len(frame)


@given(testing.order_frames())
def test_what_goes_in_comes_out(frame):
    log = testing.strategies.log_of(frame)
    pd.testing.assert_frame_equal(log.to_native(), frame[list(log.to_native().columns)], check_dtype=False)


@given(testing.order_frames(min_rows=2), st.randoms())
def test_the_order_of_rows_does_not_matter(frame, random):
    shuffled = frame.sample(frac=1.0, random_state=random.randrange(2**31))
    orders, again = (
        collect(testing.strategies.log_of(each)._orders(20_150, "community", "category")).sort_values(
            ["user_id", "order_id"], ignore_index=True
        )
        for each in (frame, shuffled)
    )
    pd.testing.assert_frame_equal(orders, again)


@given(testing.order_frames(), st.integers(20_089, 20_220))
def test_rows_at_or_after_as_of_change_nothing(frame, as_of):
    cut = frame[frame["ordered_at"] < np.datetime64(as_of, "D")]
    if cut.empty:
        return
    whole, part = (
        collect(testing.strategies.log_of(each)._orders(as_of)).sort_values(["user_id", "order_id"], ignore_index=True)
        for each in (frame, cut)
    )
    pd.testing.assert_frame_equal(whole, part)


# -- orders and refunds ----------------------------------------------------------------------------------------------


def test_what_counts_as_an_order():
    rows = pd.DataFrame(
        [
            ("paid", 1, "2025-01-01", 5.0), ("free", 2, "2025-01-02", 0.0), ("cancelled", 3, "2025-01-03", 5.0),
            ("cancelled", 3, "2025-01-04", -5.0), ("refund", 4, "2025-01-05", -2.0), ("part", 5, "2025-01-06", 5.0),
            ("part", 5, "2025-01-09", -2.0),
        ],
        columns=["u", "o", "t", "m"],
    )  # fmt: skip
    log = cl.OrderLog.from_frame(rows, **BASIC, order_id="o")
    counts = collect(log._orders(30_000)).set_index("user_id")["counts"].to_dict()
    assert counts == {"paid": True, "free": True, "cancelled": False, "refund": False, "part": True}
    early = collect(log._orders(20_092)).set_index("user_id")["counts"]
    assert early["cancelled"], "before its refund the order stands"


def test_only_paid_lines_make_orders():
    rows = frame_of(s=["done", "open", "done"])
    log = cl.OrderLog.from_frame(rows, **BASIC, status="s", status_map={"done": "paid", "open": "placed"})
    assert collect(log._orders(30_000))["user_id"].tolist() == ["a", "a"]
    assert log.n_rows == 3
    with pytest.raises(cl.SchemaError, match="unknown_status"):
        cl.OrderLog.from_frame(rows, **BASIC, status="s", status_map={"done": "paid"})


# -- what is refused -------------------------------------------------------------------------------------------------


def test_all_faults_are_told_at_once():
    rows = frame_of(m=[1.0, 12.345, np.nan], t=["2025-01-01", "helo", "2025-01-03"], u=[None, "b", "a"])
    with pytest.raises(cl.SchemaError) as caught:
        cl.OrderLog.from_frame(rows, **BASIC)
    message = str(caught.value)
    assert message.startswith("4 faults in 3 of 3 rows")
    for told in ("first helo at row 1", "12.345", 'on_fault={"sub_unit_amount": "round"}', "null_user_id"):
        assert told in message
    assert "first null at row 0" in message
    faults = pickle.loads(pickle.dumps(caught.value)).faults  # noqa: S301  (errors cross process borders)
    assert faults["fault"].tolist() == ["null_user_id", "unparseable_time", "null_amount", "sub_unit_amount"]


def test_a_misspelt_column_gets_a_hint():
    with pytest.raises(cl.SchemaError, match=r'Did you mean amount="paid_amount"\? There is no column "paid_ammount"'):
        cl.OrderLog.from_frame(
            frame_of().rename(columns={"m": "paid_amount"}), user_id="u", ordered_at="t", amount="paid_ammount"
        )
    with pytest.raises(cl.SchemaError, match='There is no column "zzzz" for category') as caught:
        cl.OrderLog.from_frame(frame_of(m=[np.nan, 1, 2]), **BASIC, category="zzzz")
    assert caught.value.faults["fault"].tolist() == ["missing_column", "null_amount"]


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("t", [1, 2, 3], "not_a_timestamp"),
        ("t", [True, False, True], "not_a_timestamp"),
        ("t", [1735689600.0, 1.0, 2.0], "not_a_timestamp"),
        ("m", [True, False, True], "not_a_number"),
        ("m", ["1.0", "2.0", "3.0"], "not_a_number"),
        ("u", [True, False, True], "not_an_id"),
        ("u", [1, "b", 2.5], "mixed_types"),
        ("m", [1, "b", 2.5], "mixed_types"),
        ("t", [dt.datetime(2025, 1, 1), "2025-01-01", 5], "mixed_types"),
        ("u", [[1], [2], [3]], "mixed_types"),
    ],
)
def test_a_column_of_the_wrong_type_is_a_fault(column, values, fault):
    with pytest.raises(cl.SchemaError, match=fault) as caught:
        cl.OrderLog.from_frame(frame_of(**{column: values}), **BASIC)
    if fault == "not_a_timestamp":  # the type that was seen is told
        assert type(values[0]).__name__[:4].title() in str(caught.value.faults["example"].iloc[0])


@pytest.mark.parametrize(
    ("value", "fault"),
    [("01/02/2025", "unparseable_time"), ("2025-1-2", "unparseable_time"), ("20250102", "unparseable_time"),
     ("9999-12-31", "year_out_of_range"), ("1969-12-31", "year_out_of_range"), ("2101-01-01", "year_out_of_range")],
)  # fmt: skip
def test_times_are_never_guessed(value, fault):
    with pytest.raises(cl.SchemaError, match=fault):
        cl.OrderLog.from_frame(frame_of(t=["2025-01-01", value, "2025-01-03"]), **BASIC)


def test_rows_after_the_end_of_observation_are_a_fault():
    with pytest.raises(cl.SchemaError, match="after_observed_until"):
        cl.OrderLog.from_frame(frame_of(), **BASIC, observed_until="2025-01-03")
    assert cl.OrderLog.from_frame(frame_of(), **BASIC, observed_until="2025-01-04").observation.until == 20_092


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": 3}, {"user_id": None}, {"timezone": "Mars/Olympus"}, {"timezone": "../etc/passwd"}, {"timezone": 8},
        {"keep": "note"}, {"keep": ["amount"]}, {"keep": ["us"]}, {"keep": ["t", "t"]}, {"on_fault": "ignore"},
        {"on_fault": {"null_user": "raise"}}, {"on_fault": {"null_user_id": "keep"}}, {"on_fault": 3},
        {"status": "m"}, {"status_map": {"x": "paid"}}, {"status": "m", "status_map": {1.0: "done"}},
        {"status": "m", "status_map": "paid"}, {"observed_from": "yesterday"},
        {"observed_from": "2025-02-01", "observed_until": "2025-01-15"},
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(wrong):
    with pytest.raises(cl.ConfigError):
        cl.OrderLog.from_frame(frame_of(), **{**BASIC, **wrong})


@pytest.mark.parametrize("thing", [None, [1, 2], {"u": [1]}, "orders.csv", np.zeros((2, 2))])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(cl.EngineError, match="pandas"):
        cl.OrderLog.from_frame(thing, **BASIC)


def test_a_frame_with_one_name_twice_is_refused():
    twice = pd.concat([frame_of(), frame_of()[["m"]]], axis=1)
    with pytest.raises(cl.CommlifeError, match="m"):
        cl.OrderLog.from_frame(twice, **BASIC)


def test_personal_data_is_masked():
    rows = frame_of(u=["13812345678", "13812345678", "13912345678"], a=["12 Long Road", None, ""], m=[1.0, 1.0, 1.0])
    rows["t"] = "2025-01-01"
    rows.loc[2, "u"] = ""
    with pytest.raises(cl.SchemaError) as caught:
        cl.OrderLog.from_frame(rows, **BASIC, address_id="a", on_fault={"duplicate_line": "raise"})
    told = str(caught.value) + caught.value.faults.to_string()
    assert "13812345678" not in told
    assert "Long Road" not in told
    assert mask("13812345678") == "138****78"
    assert [mask(x) for x in ("ab", "", 12345)] == ["a*", "''", "1***5"]


# -- what is taken ---------------------------------------------------------------------------------------------------


def test_an_empty_log_is_a_log():
    log = cl.OrderLog.from_frame(frame_of().head(0), **BASIC)
    assert (log.n_rows, log.n_orders, log.n_users, log.first_day, len(log.set_aside)) == (0, 0, 0, None, 0)
    assert "no rows" in repr(log)
    untyped = pd.DataFrame({"u": [], "t": [], "m": []})
    assert cl.OrderLog.from_frame(untyped.astype(object), **BASIC).n_rows == 0


def test_one_row_is_a_log():
    log = cl.OrderLog.from_frame(frame_of().head(1), **BASIC)
    assert (len(log), log.n_orders, log.first_day, log.last_day) == (1, 1, "2025-01-01", "2025-01-01")


def test_columns_asked_for_are_carried_along():
    rows = frame_of(note=["=cmd()", "x", None], extra=[1, 2, 3])
    log = cl.OrderLog.from_frame(rows, **BASIC, keep=["note"])
    assert log.to_native()["note"].tolist()[:2] == ["=cmd()", "x"]
    assert "extra" not in log.to_native().columns


def test_categories_and_pandas_own_types_are_plain():
    rows = frame_of(
        u=pd.Categorical(["a", "b", "a"]), c=pd.Categorical([1, 2, 1]), m=pd.array([1, 2, 3], dtype="Int64")
    )
    rows["t"] = pd.to_datetime(rows["t"])
    log = cl.OrderLog.from_frame(rows, **BASIC, category="c")
    assert log.to_native()["category"].tolist() == [1, 2, 1]
    assert cl.purchase_summary(log, as_of="2025-02-01")["x"].tolist() == [1, 0]


def test_arrow_backed_pandas_is_read():
    rows = frame_of()
    rows["t"] = pd.to_datetime(rows["t"])
    arrow = rows.astype({"u": "string[pyarrow]", "t": "timestamp[us][pyarrow]", "m": "double[pyarrow]"})
    log = cl.OrderLog.from_frame(arrow, **BASIC)
    assert cl.purchase_summary(log, as_of="2025-02-01")["x"].to_list() == [1, 0]


def test_python_dates_and_datetimes_are_read():
    dates = frame_of(t=pd.Series([dt.date(2025, 1, 1)] * 3, dtype=object))
    assert cl.OrderLog.from_frame(dates, **BASIC).first_day == "2025-01-01"
    far = frame_of(t=pd.Series([dt.datetime(2099, 1, 1)] * 3, dtype=object))
    assert cl.OrderLog.from_frame(far, **BASIC).first_day == "2099-01-01"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_each_unit_of_time_is_read(unit):
    rows = frame_of(t=pd.to_datetime(["2025-01-01 23:59:59"] * 3).astype(f"datetime64[{unit}]"))
    log = cl.OrderLog.from_frame(rows, **BASIC)
    assert collect(log._lines(30_000))["us"].tolist() == [1_735_775_999_000_000] * 3


def test_a_zone_moves_days():
    rows = frame_of(t=pd.to_datetime(["2025-01-01 16:00"] * 3, utc=True))
    shanghai = cl.OrderLog.from_frame(rows, **BASIC)
    london = cl.OrderLog.from_frame(rows, **BASIC, timezone="Europe/London")
    assert (shanghai.first_day, london.first_day) == ("2025-01-02", "2025-01-01")


def test_optional_money_may_be_unknown():
    rows = frame_of(d=[0.5, np.nan, 0.25], q=[1, 2, np.nan], c=[0.1, 0.2, 0.3])
    log = cl.OrderLog.from_frame(rows, **BASIC, discount="d", quantity="q", cost="c")
    lines = collect(log._lines(30_000))
    assert lines["discount_minor"].sum() == 75
    assert lines["discount_minor"].isna().tolist() == [False, True, False]
    assert log.to_native()["discount"].sum() == 0.75
    with pytest.raises(cl.SchemaError, match="sub_unit_amount"):
        cl.OrderLog.from_frame(frame_of(d=[0.123, 0, 0]), **BASIC, discount="d")
    with pytest.raises(cl.SchemaError, match="bad_quantity"):
        cl.OrderLog.from_frame(frame_of(q=[1.0, np.inf, 1.0]), **BASIC, quantity="q")


def test_a_first_order_before_the_log_is_known():
    rows = frame_of(f=["2020-05-01", None, "2020-05-01"])
    log = cl.OrderLog.from_frame(rows, **BASIC, first_ordered_at="f")
    assert log.to_native()["first_ordered_at"].tolist()[0] == pd.Timestamp("2020-05-01")


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_parquet_files_are_read(tmp_path, engine):
    rows = frame_of(x=[1, 2, 3])
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_parquet(tmp_path / "b.parquet")
    one = cl.OrderLog.from_parquet(tmp_path / "a.parquet", engine=engine, **BASIC)
    both = cl.OrderLog.from_parquet([tmp_path / "a.parquet", tmp_path / "b.parquet"], engine=engine, **BASIC)
    assert (one.n_rows, both.n_rows, both.n_users) == (3, 6, 2)
    with pytest.raises(cl.SchemaError, match="There is no column"):
        cl.OrderLog.from_parquet(tmp_path / "a.parquet", engine=engine, **{**BASIC, "amount": "price"})


def test_csv_keeps_leading_zeros(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("phone,paid_at,paid,class\n007,2025-01-01 10:00,12.50,01\n07,2025-01-02,3,02\n", encoding="utf-8")
    log = cl.OrderLog.from_csv(file, user_id="phone", ordered_at="paid_at", amount="paid", category="class")
    assert log.to_native()["user_id"].tolist() == ["007", "07"]
    assert log.to_native()["category"].tolist() == ["01", "02"]


def test_files_that_are_not_there_or_not_readable_say_so(tmp_path):
    with pytest.raises(cl.ConfigError, match="no file"):
        cl.OrderLog.from_csv(tmp_path / "none.csv", **BASIC)
    with pytest.raises(cl.ConfigError, match="no file"):
        cl.OrderLog.from_parquet(tmp_path / "none.parquet", **BASIC)
    with pytest.raises(cl.ConfigError, match="empty list"):
        cl.OrderLog.from_parquet([], **BASIC)
    with pytest.raises(cl.ConfigError, match="engine"):
        (tmp_path / "a.parquet").write_bytes(b"")
        cl.OrderLog.from_parquet(tmp_path / "a.parquet", engine="excel", **BASIC)
    empty = tmp_path / "empty.csv"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(cl.ConfigError, match="CSV"):
        cl.OrderLog.from_csv(empty, **BASIC)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 no more")
    for engine in ("pandas", "polars", "duckdb"):
        with pytest.raises(cl.CommlifeError, match=r"damaged\.parquet"):
            cl.OrderLog.from_parquet(damaged, engine=engine, **BASIC)
