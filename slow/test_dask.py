"""Dask frames: each relational public call gives what pandas gives. ``make test-engines``."""

from __future__ import annotations

import dask.dataframe as dd
import pytest

import commlife as cl
import every_call
from commlife import _engine

# Narwhals announces that its Dask support moves to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")

LOGS: dict[str, tuple[cl.OrderLog, cl.OrderLog, every_call.Export]] = {}


def logs(name: str) -> tuple[cl.OrderLog, cl.OrderLog, every_call.Export]:
    """An export on Dask and on pandas.

    The lines are held once they are read, as a host with room for them would: Dask plans a log from the host's frame
    anew for each step that is built on it, which is most of the time on a few hundred rows. "lines" has them unheld.
    """
    if name not in LOGS:
        export = every_call.EXPORTS[name]()
        log = export.log(dd.from_pandas(export.frame, npartitions=2))
        log._frame = _engine.settle(log._frame)
        LOGS[name] = log, export.log(export.frame), export
    return LOGS[name]


@pytest.mark.parametrize(("name", "call"), every_call.cases(small=True))
def test_every_call_gives_the_same(name: str, call: str) -> None:
    log, wanted, export = logs(name)
    if call == "lines":
        log = export.log(dd.from_pandas(export.frame, npartitions=3))
    every_call.assert_equal(every_call.ask(call, log, export), every_call.ask(call, wanted, export))


def test_a_plan_is_not_run_to_be_shown() -> None:
    assert "plan" in repr(logs("market")[0])


def test_users_are_scored_where_they_are() -> None:
    log, wanted, export = logs("town")
    spec = cl.SilenceModel(horizon="14D", snapshots=2, n_trees=20, refits=2, resamples=10)
    model = spec.fit(wanted, as_of=export.as_of)
    risk = model.predict(log, as_of=export.as_of)
    assert isinstance(risk, dd.DataFrame), "it stays on Dask"
    every_call.assert_equal({"risk": risk}, {"risk": model.predict(wanted, as_of=export.as_of)})
    told, known = (model.reasons(each, as_of=export.as_of, k=2) for each in (log, wanted))
    assert isinstance(told, dd.DataFrame)
    told = every_call.plain(told).sort_values(["user_id", "reason_rank"], ignore_index=True)
    every_call.assert_equal({"reasons": told}, {"reasons": known})
