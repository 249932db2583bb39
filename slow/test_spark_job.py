"""A job on Spark from end to end: what was fitted here scores there, and every answer is the one of this process."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import commlife as cl
import every_call

pytestmark = pytest.mark.filterwarnings("ignore")
GUIDE = Path(__file__).parents[1] / "docs" / "how-to" / "on-spark.md"
RULES = cl.CleaningRules(exclude_categories=("service",), drop_zero_amount=True, merge_within="6h")


@pytest.fixture(scope="module")
def town():
    return every_call.EXPORTS["town"]()


@pytest.fixture(scope="module")
def here(town):
    return town.log(town.frame)


@pytest.fixture(scope="module")
def there(spark, town):
    return town.log(every_call.spark_table(spark, town.frame))


@pytest.fixture(scope="module")
def model(town, here):
    spec = cl.SilenceModel(horizon="14D", snapshots=2, n_trees=20, refits=2, resamples=10)
    return spec.fit(here, as_of=town.as_of)


def same(seen, wanted, *, by=("user_id",)) -> None:
    assert type(seen).__module__.startswith("pyspark."), "it stays on Spark"
    given = every_call.plain(seen).sort_values(list(by), ignore_index=True)
    pd.testing.assert_frame_equal(given, every_call.plain(wanted), check_exact=False, rtol=1e-9, atol=1e-9)


def test_users_are_scored_where_they_are(model, here, there, town) -> None:
    same(model.predict(there, as_of=town.as_of), model.predict(here, as_of=town.as_of))


@pytest.mark.parametrize(
    "asked", [{"k": 2}, {"k": 3, "users": 0.2, "lang": "zh"}, {"k": 2, "users": 0.05, "mode": "exact"}], ids=str
)
def test_reasons_are_made_where_the_users_are(model, here, there, town, asked) -> None:
    wanted = model.reasons(here, as_of=town.as_of, **asked)
    assert len(wanted)
    same(model.reasons(there, as_of=town.as_of, **asked), wanted, by=("user_id", "reason_rank"))


def test_the_scorer_runs_where_the_rows_are(model, there, town) -> None:
    """The forecast is a step of Spark's own plan, and nothing runs before its rows are asked for."""
    plan = model.predict(there, as_of=town.as_of)._jdf.queryExecution().toString()
    assert "MapInArrow" in plan


def test_a_clean_log_goes_through_every_frozen_spec(here, there, town) -> None:
    clean_here, clean_there = here.clean(RULES), there.clean(RULES)
    pd.testing.assert_frame_equal(clean_there.audit, clean_here.audit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rfm = cl.FittedRFM.from_json(cl.RFM().fit(clean_here, as_of=town.earlier).to_json())
    same(rfm.transform(clean_there, as_of=town.as_of), rfm.transform(clean_here, as_of=town.as_of))
    same(cl.purchase_summary(clean_there, as_of=town.as_of), cl.purchase_summary(clean_here, as_of=town.as_of))
    life = cl.Lifecycle(period="week", washout="28D")
    lives_there, lives_here = (life.fit(log, as_of=town.as_of) for log in (clean_there, clean_here))
    same(lives_there.states, lives_here.states)
    pd.testing.assert_frame_equal(lives_there.counts, lives_here.counts)
    tables = [
        cl.cohort_table(log, as_of=town.as_of, by="community", washout="28D").to_frame()
        for log in (clean_there, clean_here)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_missing_column_is_told_before_any_worker_starts(model, town, spark) -> None:
    bare = {name: town.columns[name] for name in ("user_id", "ordered_at", "amount")}
    log = cl.OrderLog.from_frame(every_call.spark_table(spark, town.frame[list(bare)]), **bare)
    with pytest.raises(cl.ConfigError, match="needs the column"):
        model.predict(log, as_of=town.as_of)


@pytest.mark.usefixtures("spark")
def test_the_job_of_the_guide_runs(tmp_path, monkeypatch) -> None:
    """The page's first block fits, its second is the job."""
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    fit = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    job = re.search(r"```text\n(import.*?)```", text, re.DOTALL).group(1)
    # The JVM began in another folder than this test.
    job = re.sub(r'"([\w.]+\.parquet|checkpoints)"', rf'"{tmp_path}/\1"', job)
    names: dict[str, object] = {}
    exec(fit, names)  # noqa: S102  (the page's own code)
    frame = names["orders"].assign(ordered_at=lambda f: f["ordered_at"].astype("datetime64[us]"))
    frame.to_parquet(tmp_path / "orders.parquet")
    exec(job, names)  # noqa: S102
    log, as_of = names["local"], names["as_of"]
    risk = pd.read_parquet(tmp_path / "risk.parquet").sort_values("user_id", ignore_index=True)
    np.testing.assert_allclose(risk["p_silent"], names["silence"].predict(log, as_of=as_of)["p_silent"], rtol=1e-12)
    scores = pd.read_parquet(tmp_path / "rfm.parquet").sort_values("user_id", ignore_index=True)
    assert scores["rfm_code"].tolist() == names["rfm"].transform(log, as_of=as_of)["rfm_code"].tolist()
    assert {path.name for path in tmp_path.glob("*.parquet")} >= {"states.parquet", "reasons.parquet"}
