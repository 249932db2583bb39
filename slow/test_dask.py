"""Dask frames go in as well; what is computed is what pandas gives."""

from __future__ import annotations

import dask.dataframe as dd
import pandas as pd
import pytest

import commlife as cl
from commlife._engine import collect
from commlife.testing.pipelines import _rows as sound_rows

# Narwhals announces that its Dask support moves to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")


def test_dask_gives_the_same_log():
    frame = sound_rows(0)
    names = {name: name for name in frame.columns}
    log = cl.OrderLog.from_frame(dd.from_pandas(frame, npartitions=3), **names)
    wanted = cl.OrderLog.from_frame(frame, **names)
    assert (log.n_rows, log.n_orders, log.n_users) == (wanted.n_rows, wanted.n_orders, wanted.n_users)
    keys = ["user_id", "order_id"]
    orders, wanted_orders = (
        collect(each._orders(20_140, "community")).sort_values(keys, ignore_index=True) for each in (log, wanted)
    )
    pd.testing.assert_frame_equal(orders[wanted_orders.columns], wanted_orders, check_dtype=False)
    rules = cl.CleaningRules(drop_zero_amount=True, merge_within="1D", winsorize_amount=0.9)
    pd.testing.assert_frame_equal(log.clean(rules).audit, wanted.clean(rules).audit)
    assert "plan" in repr(log)
