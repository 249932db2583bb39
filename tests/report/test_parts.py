"""The user table written part by part holds the rows of the table made at once."""

from __future__ import annotations

import re

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import commlife as cl
from commlife.coupons import Coupon
from commlife.report import users as user_rows

RULES = cl.CleaningRules(exclude_categories=("housekeeping",), max_addresses_per_user=3)
KINDS = ("pandas", "polars", "arrow", "duckdb")


@pytest.fixture(scope="module")
def community():
    return cl.datasets.make_community(n_users=400, seed=5)


def make_log(community, kind, *, clean=True, frame=None):
    frame = community.frame if frame is None else frame
    given = {
        "pandas": lambda: frame,
        "polars": lambda: pl.from_pandas(frame).lazy(),
        "arrow": lambda: pl.from_pandas(frame).to_arrow(),
        "duckdb": lambda: duckdb.connect().from_df(frame),
    }[kind]()
    names = {name: name for name in frame.columns}
    log = cl.OrderLog.from_frame(given, **names, observed_from=community.world.start)
    return log.clean(RULES) if clean else log


@pytest.fixture(scope="module")
def silence(community):
    return cl.SilenceModel(n_trees=20, refits=0).fit(make_log(community, "pandas"), as_of=community.as_of)


@pytest.fixture(scope="module")
def at_once(community, silence, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.parquet"
    table = cl.user_table(make_log(community, "pandas"), as_of=community.as_of, silence=silence)
    return rows(cl.write_parquet(table, path))


def rows(path):
    """The rows of a file, by the types of the file alone."""
    return pq.read_table(path).replace_schema_metadata(None).to_pandas()


def same(path, wanted):
    """Equal row by row: texts, days and whole numbers exactly, the integrals of the value model to 1e-12."""
    written = rows(path)
    whole = [name for name in wanted if wanted[name].dtype != np.float64]
    pd.testing.assert_frame_equal(written[whole], wanted[whole], check_dtype=False)
    pd.testing.assert_frame_equal(written, wanted, check_dtype=False, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("kind", "users_at_once"), [*((kind, most) for kind in KINDS for most in (10_000, 60)), ("polars", 11)]
)
def test_parts_hold_the_rows_of_the_table_made_at_once(community, silence, at_once, kind, users_at_once, tmp_path):
    made = cl.write_user_table(
        make_log(community, kind), tmp_path / "users.parquet", as_of=community.as_of, silence=silence,
        users_at_once=users_at_once,
    )  # fmt: skip
    same(made.path, at_once)
    assert made.users == len(at_once)
    assert {"proxy_buyer", "service_buyer"} & set(at_once["segment"]), "users set aside are among them"
    payers = int(at_once["x"].notna().sum())
    assert made.parts == -(-payers // users_at_once)
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"], "nothing else is left behind"


@pytest.mark.parametrize("kind", ["polars", "duckdb"])
def test_what_is_fitted_for_parts_is_fitted_to_the_whole(community, kind, tmp_path):
    log = make_log(community, kind, clean=False)
    made = cl.write_user_table(log, tmp_path / "parts.parquet", as_of=community.as_of, users_at_once=90)
    table = cl.user_table(log, as_of=community.as_of)
    same(made.path, rows(cl.write_parquet(table, tmp_path / "whole.parquet")))
    assert any("RFM was fitted here" in note for note in made.notes)
    assert any("Lifecycle was fitted here" in note for note in made.notes)
    assert pq.read_schema(made.path).metadata[b"notes"].decode() == "\n".join(made.notes)
    if isinstance(table, pd.DataFrame):
        assert table.attrs["notes"] == list(made.notes)


@pytest.mark.parametrize("kind", ["pandas", "duckdb"])
def test_what_all_users_share_is_shared_over_parts_too(community, silence, at_once, kind, tmp_path):
    """A budget, and who else bought a category: coupons that no part can decide by itself."""
    categories = sorted(set(at_once["favourite_category"].dropna()))
    offers = [Coupon.from_threshold("second", "30:5"), Coupon.from_threshold("back", "50:8"),
              Coupon(coupon_id="try", amount=4.0, minimum_spend=20.0, categories=(categories[0],))]  # fmt: skip
    told = {"as_of": community.as_of, "silence": silence, "offers": offers, "budget": 150.0}
    wanted = cl.user_table(make_log(community, "pandas"), **told)
    assert {"try"} < set(wanted["coupon_id"].dropna())
    assert (wanted["coupon_cost"] > 0).any()
    wanted = rows(cl.write_parquet(wanted, tmp_path / "whole.parquet"))
    made = cl.write_user_table(make_log(community, kind), tmp_path / "parts.parquet", users_at_once=70, **told)
    same(made.path, wanted)


def test_a_lifecycle_that_was_given_is_used(community, silence, tmp_path):
    log = make_log(community, "duckdb")
    life = cl.Lifecycle(period="28D", churned_after=3, washout="28D").fit(log, as_of=community.as_of)
    told = {"as_of": community.as_of, "silence": silence, "lifecycle": life}
    wanted = rows(cl.write_parquet(cl.user_table(log, **told), tmp_path / "whole.parquet"))
    made = cl.write_user_table(log, tmp_path / "parts.parquet", users_at_once=70, **told)
    same(made.path, wanted)
    assert not any("Lifecycle was fitted" in note for note in made.notes)


def test_ids_may_be_texts(community, silence, tmp_path):
    """Parts go by the order of the texts, those with signs and foreign letters included."""
    odd = ["ä-{}", "Z{}", "+86 138 {}", "用户{}", "a{}"]
    frame = community.frame.assign(user_id=[odd[int(user) % 5].format(user) for user in community.frame["user_id"]])
    tables = {}
    for kind in ("polars", "duckdb"):
        log = make_log(community, kind, frame=frame)
        whole = cl.write_parquet(
            cl.user_table(log, as_of=community.as_of, silence=silence), tmp_path / f"{kind}-whole.parquet"
        )
        made = cl.write_user_table(
            log, tmp_path / f"{kind}.parquet", as_of=community.as_of, silence=silence, users_at_once=150
        )
        tables[kind] = pd.read_parquet(made.path)
        same(made.path, rows(whole))
        assert tables[kind]["user_id"].tolist() == sorted(set(tables[kind]["user_id"]))
    assert tables["polars"]["user_id"].tolist() == tables["duckdb"]["user_id"].tolist()


def test_a_part_without_an_order_in_a_whole_period_has_users_without_a_state(tmp_path):
    """The newest users, of the period that is not over, may stand alone in a part."""
    frame = pd.DataFrame(
        {"user_id": [*range(40), *range(40), 90, 91, 92], "amount": 10.0,
         "ordered_at": ["2025-03-03"] * 40 + ["2025-03-12"] * 40 + ["2025-03-18"] * 3}
    )  # fmt: skip
    log = cl.OrderLog.from_frame(frame, user_id="user_id", ordered_at="ordered_at", amount="amount")
    week = cl.Lifecycle(period="week", washout="7D").fit(log, as_of="2025-03-20")
    for given in ({}, {"lifecycle": week}):
        whole = cl.user_table(log, as_of="2025-03-20", **given)
        made = cl.write_user_table(log, tmp_path / "u.parquet", as_of="2025-03-20", users_at_once=10, **given)
        written = pd.read_parquet(made.path)
        assert written["user_id"].tolist() == whole["user_id"].tolist()
        assert written["state"].fillna("").tolist() == whole["state"].fillna("").tolist()
    assert written["state"].isna().sum() == 3


def test_where_a_write_fails_the_old_file_stands(community, silence, tmp_path, monkeypatch):
    path = tmp_path / "users.parquet"
    path.write_bytes(b"what stood there")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(cl.PersistenceError, match="No space left"):
        cl.write_user_table(
            make_log(community, "pandas"), path, as_of=community.as_of, silence=silence, users_at_once=50
        )
    assert path.read_bytes() == b"what stood there"
    assert [each.name for each in tmp_path.iterdir()] == ["users.parquet"]


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "all"])
def test_users_at_once_is_a_whole_number_from_one(community, tmp_path, wrong):
    with pytest.raises(cl.ConfigError, match=re.escape(f"seen {wrong!r}")):
        cl.write_user_table(
            make_log(community, "pandas"), tmp_path / "u.parquet", as_of=community.as_of, users_at_once=wrong
        )


@pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
def test_a_log_on_a_cluster_is_refused_with_the_way_out(community, tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    frame = community.frame
    log = cl.OrderLog.from_frame(dd.from_pandas(frame, npartitions=2), **{name: name for name in frame.columns})
    with pytest.raises(cl.EngineError, match=r"this log lies on Dask.*RFM\.transform"):
        cl.write_user_table(log, tmp_path / "u.parquet", as_of=community.as_of)


def test_nobody_who_paid_is_told(tmp_path):
    frame = pd.DataFrame({"user_id": [1], "ordered_at": ["2025-03-03"], "amount": [10.0]})
    log = cl.OrderLog.from_frame(frame, user_id="user_id", ordered_at="ordered_at", amount="amount")
    with pytest.raises(cl.InsufficientDataError):
        cl.write_user_table(log, tmp_path / "u.parquet", as_of="2025-03-01")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("budget", [None, 100.0])
def test_a_table_in_memory_is_made_by_parts_where_the_log_is_out_of_core(community, silence, monkeypatch, budget):
    log = make_log(community, "duckdb")
    life = cl.Lifecycle(washout="28D").fit(log, as_of=community.as_of)
    told = {"as_of": community.as_of, "silence": silence, "lifecycle": life, "budget": budget}
    whole = cl.user_table(log, **told)
    asked = []
    before_coupons = user_rows.before_coupons
    monkeypatch.setattr(
        user_rows, "before_coupons", lambda part, *a, **k: asked.append(part.n_users) or before_coupons(part, *a, **k)
    )
    monkeypatch.setattr(user_rows, "AT_ONCE", 150)
    pd.testing.assert_frame_equal(cl.user_table(log, **told), whole, rtol=1e-12)
    assert len(asked) == 3
    assert sum(asked) == log.n_users
