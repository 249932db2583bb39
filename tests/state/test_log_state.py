"""A state told of each night gives what a run over the whole log gives: refunds, split orders, late lines and all."""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import commlife as cl

NAMES = {
    "user_id": "user", "order_id": "order", "ordered_at": "at", "amount": "paid", "community": "estate",
    "channel": "way", "coupon_id": "coupon",
}  # fmt: skip
START = pd.Timestamp("2025-01-01")
pytestmark = pytest.mark.filterwarnings("ignore::commlife.errors.LeftTruncatedWarning")


def question(**asked: Any) -> cl.CohortQuestion:
    return cl.CohortQuestion(as_of="2025-01-01", **asked)


FOLLOW: tuple[Any, ...] = (
    cl.Lifecycle(period="week"),
    cl.Lifecycle(period="7D", silent_after=2, churned_after=4, by="community", washout="14D"),
    cl.Lifecycle(period="month", churned_after=2, by=("channel", "community"), lang="zh"),
    question(period="month"),
    question(period="7D", measure="churn", by="community", washout="7D"),
    question(period="week", measure="cumulative_revenue", by=("subsidised", "channel")),
    question(period="week", measure="repurchase", max_age=3),
    question(period="month", measure="aov", cohort="channel"),
    question(period="14D", cohort="active"),
    question(period="month", measure="rolling", window="10D"),
    question(period="week", measure="bracket", brackets=(0, 1, 4)),
    question(period="14D", measure="recall", min_size=2),
)


def full_answers(log: cl.OrderLog, as_of: str, follow: Sequence[Any]) -> list[Any]:
    """What each call says of the whole log."""
    made: list[Any] = [cl.purchase_summary(log, as_of=as_of)]
    for asked in follow:
        try:
            if isinstance(asked, cl.Lifecycle):
                life = asked.fit(log, as_of=as_of)
                made.append((life.states, life.counts, life.transitions, life.growth, life.fitted_on))
            else:
                how = {name: value for name, value in asked.model_dump().items() if name != "as_of"}
                table = cl.cohort_table(log, as_of=as_of, **{**how, "by": how["by"] or None})
                made.append((table.to_frame(), table.suppressed, table.existing_users, table.question))
        except cl.InsufficientDataError as error:
            made.append(str(error))
    return made


def told_answers(state: cl.LogState) -> list[Any]:
    """What the state says."""
    made: list[Any] = [state.purchase_summary()]
    lives, tables = itertools.count(), itertools.count()
    for asked in state.questions:
        try:
            if isinstance(asked, cl.Lifecycle):
                life = state.lifecycle(next(lives))
                made.append((life.states, life.counts, life.transitions, life.growth, life.fitted_on))
            else:
                table = state.cohort_table(next(tables))
                made.append((table.to_frame(), table.suppressed, table.existing_users, table.question))
        except cl.InsufficientDataError as error:
            made.append(str(error))
    return made


def assert_same(seen: Any, wanted: Any) -> None:
    assert type(seen) is type(wanted), (seen, wanted)
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(seen, wanted, check_dtype=False, rtol=1e-12)
    elif isinstance(wanted, (list, tuple)):
        assert len(seen) == len(wanted)
        for one, other in zip(seen, wanted, strict=True):
            assert_same(one, other)
    else:
        assert seen == wanted


@st.composite
def lines(draw: st.DrawFn) -> pd.DataFrame:
    """Few users and orders over ninety days, so that orders split, refund and tie; an order may have two users."""
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = pd.DataFrame(
        {
            "user": rng.choice(["甲", "b", "c", "é", "E"], n),
            "order": rng.integers(0, draw(st.sampled_from([4, 12, 40])), n),
            "at": START + pd.to_timedelta(rng.integers(0, 90 * 4, n) * 6, unit="h"),
            "paid": rng.choice([-5.0, -3.0, 0.0, 3.0, 5.0, 12.5], n, p=[0.15, 0.1, 0.1, 0.25, 0.2, 0.2]),
            "estate": rng.choice(np.array(["n", "s", None], dtype=object), n),
            "way": rng.choice(["app", "shop"], n),
            "coupon": rng.choice(np.array(["k", None], dtype=object), n),
        }
    )
    frame["at"] = frame["at"].astype("datetime64[us]")
    return frame


def log_of(frame: pd.DataFrame, **more: Any) -> cl.OrderLog:
    typed = frame.assign(**{name: frame[name].astype("str") for name in ("estate", "way", "coupon")})
    return cl.OrderLog.from_frame(typed, **NAMES, observed_from="2025-01-01", **more)


@given(
    frame=lines(),
    nights=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    late=st.booleans(),
    follow=st.lists(st.sampled_from(FOLLOW), min_size=1, max_size=2, unique=True),
)
@settings(max_examples=max(8, settings.default.max_examples // 3))  # an example asks a dozen tables, twice
def test_each_night_equals_the_whole(frame: pd.DataFrame, nights: list[int], late: bool, follow: list[Any]) -> None:
    """Nights are whole fortnights apart, since some questions count back from as_of; months are cut anywhere."""
    days = [14 * number for number in np.cumsum([1, *nights]).tolist()]
    arrived = frame["at"] - START
    if late:
        # Some lines come two weeks after their date.
        arrived += pd.to_timedelta(np.where(np.arange(len(frame)) % 5 == 0, 14, 0), unit="D")
    as_of = str((START + pd.Timedelta(days=days[0])).date())
    first = arrived < pd.Timedelta(days=days[0])
    assume(first.any())
    state = cl.LogState.start(log_of(frame[first]), as_of=as_of, follow=follow)
    for before, after in itertools.pairwise(days):
        night = (arrived >= pd.Timedelta(days=before)) & (arrived < pd.Timedelta(days=after))
        as_of = str((START + pd.Timedelta(days=after)).date())
        state = state.update(log_of(frame[night]), as_of=as_of, late="take" if late else "raise")
    whole = log_of(frame[arrived < pd.Timedelta(days=days[-1])])
    assert_same(told_answers(state), full_answers(whole, as_of, follow))


def community() -> Any:
    made = cl.datasets.make_community(n_users=300, seed=3)
    return made.frame


COMMUNITY = {
    name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community", "channel", "coupon_id")
}


def month(frame: pd.DataFrame, begin: str, end: str) -> pd.DataFrame:
    return frame[(frame["ordered_at"] >= begin) & (frame["ordered_at"] < end)]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return community()


def test_nights_of_any_engine_are_taken(frame: pd.DataFrame, engine: Callable[[pd.DataFrame], Any]) -> None:
    first, later = month(frame, "2025-01-01", "2025-06-01"), month(frame, "2025-06-01", "2025-06-15")
    state = cl.LogState.start(
        cl.OrderLog.from_frame(engine(first), **COMMUNITY), as_of="2025-06-01", follow=[cl.Lifecycle(period="month")]
    ).update(cl.OrderLog.from_frame(engine(later), **COMMUNITY), as_of="2025-06-15")
    whole = cl.OrderLog.from_frame(month(frame, "2025-01-01", "2025-06-15"), **COMMUNITY)
    assert_same(state.purchase_summary(), cl.purchase_summary(whole, as_of="2025-06-15"))
    assert_same(state.lifecycle().states, cl.Lifecycle(period="month").fit(whole, as_of="2025-06-15").states)


def test_orders_alone_may_be_asked_of_the_short_lines(frame: pd.DataFrame) -> None:
    whole = cl.OrderLog.from_frame(frame, **COMMUNITY)
    state = cl.LogState.start(whole, as_of="2025-06-20")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.FewerBinsWarning)
        rfm = cl.RFM().fit(whole, as_of="2025-06-20")
    assert_same(rfm.transform(state.log, as_of="2025-06-20"), rfm.transform(whole, as_of="2025-06-20"))


def test_a_refund_of_an_old_order_rewrites_the_past() -> None:
    """The order of January does not count any more: its user was never new then."""

    def rows(*lines: tuple[str, int, str, float]) -> cl.OrderLog:
        table = pd.DataFrame(lines, columns=["u", "o", "t", "m"])
        return cl.OrderLog.from_frame(table, user_id="u", order_id="o", ordered_at="t", amount="m")

    asked = [question(period="month")]
    state = cl.LogState.start(
        rows(("a", 1, "2025-01-03", 9.0), ("b", 2, "2025-01-04", 9.0)), as_of="2025-02-01", follow=asked
    )
    assert state.cohort_table().to_frame()["size"].tolist() == [2.0]
    state = state.update(rows(("a", 1, "2025-02-10", -9.0), ("a", 3, "2025-02-11", 4.0)), as_of="2025-03-01")
    assert state.cohort_table().wide("users").to_numpy().tolist()[0][0] == 1.0
    assert state.cohort_table().wide("users").index.astype(str).tolist() == ["2025-01-01", "2025-02-01"]


@pytest.fixture(scope="module")
def started(frame: pd.DataFrame) -> cl.LogState:
    log = cl.OrderLog.from_frame(month(frame, "2025-01-01", "2025-06-01"), **COMMUNITY)
    return cl.LogState.start(
        log, as_of="2025-06-01", follow=[cl.Lifecycle(period="7D", by="community"), question(by="channel")]
    )


def test_a_saved_state_goes_on_as_if_it_had_stayed(frame: pd.DataFrame, started: cl.LogState, tmp_path) -> None:
    folder = tmp_path / "state"
    started.save(folder)
    started.save(folder)  # replaces the former one
    read = cl.LogState.load(folder)
    night = cl.OrderLog.from_frame(month(frame, "2025-06-01", "2025-06-08"), **COMMUNITY)
    after, wanted = (each.update(night, as_of="2025-06-08") for each in (read, started))
    assert repr(after) == repr(wanted)
    assert after.questions == wanted.questions
    assert_same(after.purchase_summary(), wanted.purchase_summary())
    assert_same(after.lifecycle().states, wanted.lifecycle().states)
    assert_same(after.lifecycle().transitions, wanted.lifecycle().transitions)
    assert_same(after.cohort_table().to_frame(), wanted.cohort_table().to_frame())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


@pytest.mark.parametrize("damage", ["manifest", "format", "kind", "file", "bytes", "name", "question"])
def test_damage_is_told(started: cl.LogState, tmp_path, damage: str) -> None:
    folder = tmp_path / "state"
    started.save(folder)
    path = folder / "manifest.json"
    told = json.loads(path.read_text())
    if damage == "manifest":
        path.write_text("{")
    elif damage == "file":
        (folder / "facts.parquet").unlink()
    elif damage == "bytes":
        raw = bytearray((folder / "facts.parquet").read_bytes())
        raw[len(raw) // 2] ^= 1
        (folder / "facts.parquet").write_bytes(bytes(raw))
    else:
        change: dict[str, Any] = {
            "format": {"format": 99}, "kind": {"kind": "pickle"}, "name": {"files": {"../x.parquet": {}}},
            "question": {"questions": [{"kind": "lifecycle", "question": "{}", "existing": 0}]},
        }  # fmt: skip
        path.write_text(json.dumps({**told, **change[damage]}))
    with pytest.raises(cl.PersistenceError):
        cl.LogState.load(folder)


def test_a_foreign_folder_is_left_alone(started: cl.LogState, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("cat")
    with pytest.raises(cl.PersistenceError, match="holds no state"):
        started.save(tmp_path / "photos")
    assert (tmp_path / "photos" / "cat.png").read_text() == "cat"
    with pytest.raises(cl.PersistenceError):
        started.save(tmp_path / "nowhere" / "state")
    with pytest.raises(cl.PersistenceError):
        cl.LogState.load(tmp_path)


def test_what_cannot_be_followed_is_refused(frame: pd.DataFrame, started: cl.LogState) -> None:
    log = cl.OrderLog.from_frame(frame, **COMMUNITY)
    refused: list[tuple[str, Callable[[], Any]]] = [
        ("unbounded", lambda: cl.LogState.start(log, as_of="2025-06-01", follow=[question(measure="unbounded")])),
        ("Lifecycle", lambda: cl.LogState.start(log, as_of="2025-06-01", follow=["cohorts"])),
        ("item_id", lambda: cl.LogState.start(log, as_of="2025-06-01", follow=[question(by="item_id")])),
        ("paid line", lambda: cl.LogState.start(log, as_of="2001-01-01")),
        ("OrderLog", lambda: cl.LogState.start(frame, as_of="2025-06-01")),
        ("merge_within", lambda: cl.LogState.start(log.clean(cl.CleaningRules(merge_within="1D")), as_of="2025-06-01")),
        ("lie before 2025-06-01", lambda: started.update(log, as_of="2025-06-08")),
        ("goes forward", lambda: started.update(log, as_of="2025-05-01")),
        ("late", lambda: started.update(log, as_of="2025-06-08", late="drop")),
        ("multiple of 7", lambda: started.update(_none(log), as_of="2025-06-03")),
        ("name the same columns", lambda: started.update(_fewer(frame), as_of="2025-06-08")),
        ("where the log began", lambda: started.update(_early(frame), as_of="2025-06-08", late="take")),
        ("which=1", lambda: started.lifecycle(1)),
        ("first_ordered_at", lambda: cl.LogState.start(_told(frame), as_of="2025-06-01")),
    ]  # fmt: skip
    for words, call in refused:
        with pytest.raises(cl.ConfigError, match=words):
            call()


def _none(log: cl.OrderLog) -> cl.OrderLog:
    return cl.OrderLog.from_frame(log.to_native().iloc[:0], **COMMUNITY)


def _fewer(frame: pd.DataFrame) -> cl.OrderLog:
    columns = {name: column for name, column in COMMUNITY.items() if name != "channel"}
    return cl.OrderLog.from_frame(month(frame, "2025-06-01", "2025-06-08"), **columns)


def _early(frame: pd.DataFrame) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame.head(3).assign(ordered_at=pd.Timestamp("2020-01-01")), **COMMUNITY)


def _told(frame: pd.DataFrame) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame.assign(since=pd.Timestamp("2020-01-01")), **COMMUNITY, first_ordered_at="since")


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_state(started, tmp_path, monkeypatch) -> None:
    """The last step of a save is a rename: where it fails the former state is put back."""
    folder = tmp_path / "state"
    started.save(folder)
    before = sorted((path.name, path.stat().st_size) for path in folder.iterdir())
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith(".former"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(cl.PersistenceError, match="state"):
        started.save(folder)
    monkeypatch.undo()
    assert sorted((path.name, path.stat().st_size) for path in folder.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert cl.LogState.load(folder).as_of == started.as_of


@pytest.mark.parametrize("holds", [True, False])
def test_a_manifest_of_the_wrong_size_or_place_is_refused(started, tmp_path, monkeypatch, holds) -> None:
    started.save(tmp_path / "state")
    if holds:
        monkeypatch.setattr("commlife.state.storage._LARGEST_MANIFEST", 10)
        with pytest.raises(cl.PersistenceError, match="larger than any manifest"):
            cl.LogState.load(tmp_path / "state")
    else:
        (tmp_path / "state" / "manifest.json").write_text("[]")
        with pytest.raises(cl.PersistenceError, match="not the manifest of a LogState"):
            cl.LogState.load(tmp_path / "state")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"first": 1.5}, "no whole number"), ({"until": 10**9}, "no whole number"), ({"timezone": "Mars/Base"}, "Mars")],
)
def test_a_manifest_of_impossible_days_or_zones_is_refused(started, tmp_path, change, told) -> None:
    started.save(tmp_path / "state")
    path = tmp_path / "state" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(cl.PersistenceError, match=told):
        cl.LogState.load(tmp_path / "state")


def test_lines_out_of_the_order_of_their_users_are_refused(started, tmp_path) -> None:
    folder = tmp_path / "state"
    started.save(folder)
    lines = pd.read_parquet(folder / "lines_000.parquet").iloc[::-1]
    lines.to_parquet(folder / "lines_000.parquet", index=False)
    told = json.loads((folder / "manifest.json").read_text())
    raw = (folder / "lines_000.parquet").read_bytes()
    told["files"]["lines_000.parquet"] = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(cl.PersistenceError, match="order of their users"):
        cl.LogState.load(folder)


def test_a_state_needs_pyarrow(started, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(cl.EngineError, match=r"pip install .commlife\[parquet\]"):
        started.save(tmp_path / "state")
