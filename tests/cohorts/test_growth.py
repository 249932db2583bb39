"""Growth accounting: known answers on CDNOW; its laws are tested with the flows (tests/features)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

import commlife as cl
from commlife.cohorts.growth import growth_accounting


@pytest.fixture(scope="module")
def cdnow() -> cl.OrderLog:
    package = importlib.util.find_spec("lifetimes")
    assert package is not None
    path = Path(str(package.origin)).parent / "datasets" / "CDNOW_sample.txt"
    frame = pd.read_csv(path, sep=r"\s+", header=None, names=["master", "u", "day", "cds", "m"])
    frame["t"] = pd.to_datetime(frame["day"].astype(str))
    return cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")


def test_cdnow_by_month(cdnow):
    """CDNOW sample: 1997-03 has 948 active = 719 new + 168 retained + 61 returned, 813 lapsed (computed twice)."""
    growth = growth_accounting(cdnow, as_of="1998-07-01").set_index("period")
    columns = ["active_users", "new", "retained", "returned", "lapsed"]
    assert growth.loc["1997-03-01", columns].tolist() == [948, 719, 168, 61, 813]
    assert growth.loc["1997-04-01", columns].tolist() == [267, 0, 171, 96, 777]
    assert growth.loc["1997-03-01", "quick_ratio"] == (719 + 61) / 813
    assert growth["quick_ratio"].isna().tolist()[:2] == [True, False]
    assert round(growth["revenue"].sum() * 100) == round(cdnow.to_native()["amount"].sum() * 100)


def test_the_month_of_as_of_is_left_out(cdnow):
    growth = growth_accounting(cdnow, as_of="1998-06-30")
    assert growth["period"].max() == pd.Timestamp("1998-05-01")


def test_equals_sql(cdnow):
    """The same by joins of months in DuckDB SQL."""
    import duckdb

    lines = cdnow.to_native()
    con = duckdb.connect()
    con.register("lines", lines)
    wanted = con.sql(
        """
        with cells as (select user_id, date_trunc('month', ordered_at)::date as month,
                              sum(round(amount * 100)::bigint) as net from lines group by all),
             firsts as (select user_id, min(month) as first from cells group by all)
        select c.month as period, count(*) as active_users, count(*) filter (c.month = first) as new,
               count(p.month) as retained,
               count(*) filter (p.month is null and c.month > first) as returned,
               sum(greatest(c.net - p.net, 0))::bigint as expansion, sum(greatest(p.net - c.net, 0))::bigint as contraction,
               sum(c.net) filter (p.month is null and c.month > first)::bigint as money_returned
        from cells c join firsts using (user_id)
        left join cells p on p.user_id = c.user_id and p.month = c.month - interval 1 month
        group by all order by 1
        """
    ).fetchall()
    growth = growth_accounting(cdnow, as_of="1998-07-01")
    columns = ["revenue_expansion", "revenue_contraction", "revenue_returned"]
    cents = (growth[columns] * 100).round().astype(int)
    given = [
        (row.period.date(), row.active_users, row.new, row.retained, row.returned, *money)
        for row, money in zip(growth.itertuples(), cents.to_numpy().tolist(), strict=True)
    ]
    assert given == [tuple(0 if value is None else value for value in row) for row in wanted]


@pytest.mark.parametrize(
    "wrong", [{"period": "year"}, {"by": "region"}, {"washout": 28}, {"as_of": "1998-07-01 10:00"}]
)
def test_wrong_arguments_are_refused(cdnow, wrong):
    with pytest.raises(cl.ConfigError):
        growth_accounting(cdnow, **{"as_of": "1998-07-01", **wrong})


def test_a_column_that_the_host_did_not_name(cdnow):
    with pytest.raises(cl.ConfigError, match="community"):
        growth_accounting(cdnow, as_of="1998-07-01", by="community")
