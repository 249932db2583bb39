"""The kit catches each way in which an adapter or a pipeline is broken, and passes sound ones."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given

import commlife as cl
from commlife import testing
from commlife.testing._examples import as_code

NAMES = {name: name for name in ("user_id", "order_id", "ordered_at", "amount")}


def log_of(frame, **kwargs):
    return cl.OrderLog.from_frame(frame, **NAMES, **kwargs)


BROKEN = {
    "drops equal lines": lambda f: log_of(f.drop_duplicates()),
    "drops refunds": lambda f: log_of(f[f["amount"] >= 0]),
    "drops free orders": lambda f: log_of(f[f["amount"] != 0]),
    "counts refunds as sales": lambda f: log_of(f.assign(amount=f["amount"].abs())),
    "rounds": lambda f: log_of(f.assign(amount=f["amount"].round(1))),
    "drops the time of day": lambda f: log_of(f.assign(ordered_at=f["ordered_at"].dt.floor("D"))),
    "takes local time for UTC": lambda f: log_of(f.assign(ordered_at=f["ordered_at"].dt.tz_localize("UTC"))),
    "merges look-alike users": lambda f: log_of(f.assign(user_id=f["user_id"].str.strip().str.lower())),
    "reads ids as numbers": lambda f: log_of(f.assign(user_id=f["user_id"].where(~f["user_id"].str.isdigit(), "7"))),
    "merges orders": lambda f: log_of(f.assign(order_id="o")),
    "splits orders": lambda f: log_of(f.assign(order_id=range(len(f)))),
    "merges order numbers": lambda f: log_of(f.groupby("order_id", as_index=False).first()),
    "sorts one column": lambda f: log_of(f.assign(amount=sorted(f["amount"]))),
    "scales": lambda f: log_of(f.assign(amount=f["amount"] * 100)),
    "changes its input": lambda f: (f.insert(0, "note", ""), log_of(f))[1],
    "sets aside": lambda f: log_of(f, on_fault={"duplicate_line": "set_aside"}),
    "returns a frame": lambda f: f,
    "refuses": lambda f: log_of(f, observed_until="2025-02-01"),
    "fails": lambda f: log_of(f.head(1 // (len(f) - 1) * len(f))),
    "loses the zone": lambda f: log_of(f.assign(ordered_at=f["ordered_at"].dt.tz_localize(None))),
    "takes the last number": lambda f: log_of(f.assign(amount=f.select_dtypes("number").iloc[:, -1])),
    "does without amounts": lambda f: log_of(f.assign(amount=f.get("amount", 0.0))),
    "does without order numbers": lambda f: log_of(f if "order_id" in f else f.assign(order_id=range(len(f)))),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_adapter_is_caught(way):
    with pytest.raises(AssertionError):
        testing.check_adapter(BROKEN[way])


def test_a_sound_adapter_passes(engine):
    assert testing.check_adapter(lambda frame: log_of(engine(frame))) is None


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
def test_a_sound_adapter_passes_whatever_its_zone(zone):
    assert testing.check_adapter(lambda frame: log_of(frame, timezone=zone), zones=["UTC", "Europe/Berlin"]) is None


def test_an_adapter_is_tried_under_the_names_that_it_reads():
    header = {"user_id": "手机号", "order_id": "order_no", "ordered_at": "paid_at", "amount": "paid"}
    assert testing.check_adapter(lambda frame: cl.OrderLog.from_frame(frame, **header), columns=header) is None
    with pytest.raises(AssertionError, match="手机号"):
        testing.check_adapter(lambda frame: cl.OrderLog.from_frame(frame, **header))


def test_an_adapter_may_refuse_times_with_a_zone_but_not_with_any_error():
    def naive_alone(frame, error):
        if frame["ordered_at"].dt.tz is not None:
            raise error
        return log_of(frame)

    assert testing.check_adapter(lambda frame: naive_alone(frame, TypeError("local times alone"))) is None
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        testing.check_adapter(lambda frame: naive_alone(frame, ZeroDivisionError("oops")))
    assert testing.check_adapter(lambda frame: naive_alone(frame, ZeroDivisionError("oops")), zones=()) is None


def test_an_adapter_may_know_a_column_by_two_names():
    """Renamed, and yet read: nothing is wrong with that."""
    assert testing.check_adapter(lambda f: log_of(f.rename(columns={"amount_old": "amount"}))) is None


def test_the_kit_names_a_wrong_name_or_zone():
    with pytest.raises(cl.ConfigError, match="user_id"):
        testing.check_adapter(log_of, columns={"user": "phone"})
    with pytest.raises(cl.ConfigError, match="name of its own"):
        testing.check_adapter(log_of, columns={"user_id": "amount"})
    with pytest.raises(cl.ConfigError, match="Mars"):
        testing.check_adapter(log_of, zones=["Mars/Olympus"])


def test_times_with_a_zone_paste_with_it():
    times = pd.to_datetime(["2025-03-30 00:30", "2025-03-30 01:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")
    frame = pd.DataFrame({"t": times.as_unit("us")})
    again = eval(as_code(frame), {"pd": pd})  # noqa: S307  (the kit's own text)
    assert again["t"].tolist() == frame["t"].tolist()
    assert str(again["t"].dt.tz) == "Europe/Berlin"


def test_a_failure_shows_rows_to_paste():
    with pytest.raises(AssertionError, match="The rows:") as caught:
        testing.check_adapter(BROKEN["drops refunds"])
    code = str(caught.value).split("The rows:\n")[1]
    frame = eval(code, {"pd": pd})  # noqa: S307  (the kit's own text)
    assert frame["amount"].min() < 0


def first_seen(log, as_of):
    frame = log.to_native()
    frame = frame[frame["ordered_at"] < as_of]
    return frame.groupby("user_id", as_index=False)["amount"].first()


calls = []


def changing(log, as_of):
    calls.append(1)
    return cl.purchase_summary(log, as_of=as_of).assign(call=len(calls))


def ranked(log, as_of):
    frame = cl.purchase_summary(log, as_of=as_of)
    return frame.assign(rank=range(len(frame)))


def twice(log, as_of):
    frame = cl.purchase_summary(log, as_of=as_of)
    return pd.concat([frame, frame])


@pytest.mark.parametrize(
    ("fn", "told"),
    [
        (first_seen, "order of rows"),
        (changing, "called twice"),
        (ranked, "names"),
        (lambda log, as_of: cl.purchase_summary(log, as_of="2025-04-30"), "at or after as_of"),
        (twice, "a user twice"),
        (lambda log, as_of: cl.purchase_summary(log, as_of=as_of).drop(columns="user_id"), "no column user_id"),
        (lambda log, as_of: log.clean(cl.CleaningRules(max_addresses_per_user=1)), "refused"),
    ],
)
def test_a_broken_pipeline_is_caught(fn, told):
    with pytest.raises(AssertionError, match=told):
        testing.check_pipeline(fn)


def test_a_sound_pipeline_passes():
    assert testing.check_pipeline(cl.purchase_summary) is None


@given(testing.order_frames(refunds=False, ties=False, min_users=3, days=30))
def test_tuned_frames_keep_their_promise(frame):
    assert frame["amount"].min() >= 0
    assert frame["user_id"].nunique() >= 3
    assert frame["ordered_at"].max() < pd.Timestamp("2025-01-31")


@given(testing.order_logs(max_rows=10))
def test_logs_hold_all_their_rows(log):
    assert log.n_rows == len(log.to_native())


@pytest.mark.parametrize("fn", [first_seen, ranked, lambda log, as_of: cl.purchase_summary(log, as_of="2025-04-30")])
def test_a_broken_pipeline_is_shown_by_few_rows_that_paste_and_fail_again(fn):
    with pytest.raises(AssertionError, match="The rows:") as caught:
        testing.check_pipeline(fn)
    code = str(caught.value).split("The rows:\n")[1]
    rows = eval(code, {"pd": pd})  # noqa: S307  (the kit's own text)
    assert len(rows) <= 12  # of 60
    assert cl.OrderLog.from_frame(rows, **NAMES).n_rows == len(rows)


def test_cells_that_are_no_python_are_pasted_all_the_same():
    frame = pd.DataFrame({"a": [float("nan"), 1.5], "b": [float("inf"), -float("inf")], "c": [None, "x"]})
    frame["t"] = pd.to_datetime(["2025-01-01 10:00", None]).tz_localize("UTC")
    again = eval(as_code(frame), {"pd": pd})  # noqa: S307  (the kit's own text)
    pd.testing.assert_frame_equal(frame[["a", "b", "c"]], again[["a", "b", "c"]])
    assert again["t"].isna().tolist() == [False, True]
