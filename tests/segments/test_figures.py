"""Figures: drawn on the Axes given or on new ones, saying what the results say."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

import commlife as cl
from commlife.segments import RFM, Lifecycle, migration


@pytest.fixture(scope="module")
def log():
    return cl.datasets.make_community(n_users=200, seed=2).log


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def texts(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


@pytest.mark.parametrize("segment_map", ["standard_11", "octants"])
def test_the_grid_and_the_moves(log, segment_map):
    rfm = RFM(segment_map=segment_map, lang="en", cuts={"frequency": [1, 2, 4, 8]}).fit(log, as_of="2025-06-30")
    summary = rfm.summary(log, as_of="2025-06-30")
    ax = summary.plot()
    assert ax.get_xlabel() == "frequency score"
    largest = summary.grid["users"].max()
    assert f"{largest:,}" in texts(ax)
    moved = migration(rfm.transform(log, as_of="2025-04-01"), rfm.transform(log, as_of="2025-06-30"))
    _, given = plt.subplots()
    assert moved.plot(given) is given
    assert all(label.get_text()[-1].isdigit() for label in given.get_yticklabels())
    given.figure.canvas.draw()


def test_the_summary_adds_up(log):
    rfm = RFM(cuts={"frequency": [1, 2, 4, 8]}, lang="zh").fit(log, as_of="2025-06-30")
    summary = rfm.summary(log, as_of="2025-06-30")
    table, scored = summary.to_frame(), rfm.transform(log, as_of="2025-06-30")
    by_segment = scored.groupby("segment").agg(users=("user_id", "size"), monetary=("monetary", "sum"))
    held = table[table["users"] > 0].set_index("segment")
    pd.testing.assert_frame_equal(
        held[["users", "monetary"]].sort_index(), by_segment.sort_index(), check_dtype=False, check_index_type=False
    )
    assert table["user_share"].sum() == pytest.approx(1)
    assert table["money_share"].sum() == pytest.approx(1)
    assert table.loc[0, "segment"] == "冠军客户"
    # The grid names the segment with most users of each cell, in the same words.
    most = scored.groupby(["r_score", "f_score"])["segment"].agg(lambda part: part.value_counts().max())
    for row in summary.grid[summary.grid["users"] > 0].itertuples():
        here = scored[(scored["r_score"] == row.r_score) & (scored["f_score"] == row.f_score)]["segment"]
        assert (here == row.segment).sum() == most[row.r_score, row.f_score]
    assert repr(summary) == f"SegmentSummary({len(scored):,} users in {len(held)} of 11 segments)"
    nobody = cl.OrderLog.from_frame(
        pd.DataFrame({"u": [1], "t": ["2025-01-01"], "m": [-1.0]}), user_id="u", ordered_at="t", amount="m"
    )
    with pytest.raises(cl.InsufficientDataError):
        rfm.summary(nobody, as_of="2025-02-01")


def test_the_lifecycle(log):
    life = Lifecycle(washout="28D").fit(log, as_of="2025-06-30")
    ax = life.plot()
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {"Active", "Existing", "Returned", "New", "Silent", "Churned"}
    assert (
        sum(patch.get_height() for patch in ax.patches if patch.get_height() > 0) == life.growth["active_users"].sum()
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_flows_balance_and_speak_the_language(log, lang):
    life = Lifecycle(washout="28D", lang=lang).fit(log, as_of="2025-06-30")
    ax = life.plot(kind="flows")
    came = sum(patch.get_height() for patch in ax.patches if patch.get_height() > 0)
    left = -sum(patch.get_height() for patch in ax.patches if patch.get_height() < 0)
    growth = life.growth.tail(26)
    assert came == growth[["new", "existing", "returned"]].to_numpy().sum()
    assert left == growth["lapsed"].sum()
    assert ax.lines[0].get_ydata().sum() == came - left
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert ("新客" in labels) == (lang == "zh")
    assert "新客" in {text.get_text() for text in life.plot().get_legend().get_texts()} or lang == "en"
    with pytest.raises(cl.ConfigError, match="kind"):
        life.plot(kind="bars")


def test_every_users_dot_is_in_its_corner(log):
    value = cl.ValueIndex(rfm=RFM(cuts={"frequency": [1, 2, 4, 8]})).fit(log, as_of="2025-06-30")
    made = cl.quadrants(
        value.transform(log, as_of="2025-06-30"), cl.Loyalty().fit(log, as_of="2025-06-30").index, lang="zh"
    )
    ax = made.plot()
    said = texts(ax)
    for row in made.table.itertuples():
        assert any(text.startswith(f"{row.name_zh}: {row.users:,}") for text in said)
    ax.figure.canvas.draw()


def test_the_return_curve_and_the_readout_are_drawn(log):
    curve = cl.return_curve(log, as_of="2025-06-30")
    ax = curve.plot()
    assert ax.lines[0].get_ydata().tolist() == pytest.approx((curve.table["rate"] * 100).tolist())
    called = log.to_native()[["user_id"]].drop_duplicates().iloc[::2]
    calls = called.assign(called_at="2025-05-06 10:00", channel="phone", outcome="reached")
    read = cl.outreach_readout(calls, log, as_of="2025-06-30")
    drawn = read.plot()
    assert [label.get_text().split("  ")[0] for label in drawn.get_yticklabels()] == ["all", "phone"]
    assert len(drawn.lines) == 2 * 2 + 1
    spoken = read.plot(lang="zh")
    assert [label.get_text().split("  ")[0] for label in spoken.get_yticklabels()] == ["全部", "phone"]
    assert spoken.get_xlabel() == "14 天内下单率与可比用户之差（百分点，95% 区间）"
    chinese = curve.plot(lang="zh")
    assert chinese.get_xlabel() == "距上次下单的期数（每期 7 天）"
    assert {text.get_text() for text in chinese.get_legend().get_texts()} == {
        "4 期内再次下单",
        "此后再次下单（以可跟踪的期数为限）",
    }
    for drawing in (curve.plot, read.plot):
        with pytest.raises(cl.ConfigError, match="fr"):
            drawing(lang="fr")


def test_moves_are_told_in_both_languages():
    then = pd.DataFrame({"user_id": [1, 2, 3], "segment": ["New", "New", "Loyal"], "monetary": [5.0, 6.0, 80.0]})
    now = pd.DataFrame(
        {"user_id": [1, 2, 3, 4], "segment": ["Loyal", "New", "Loyal", "New"], "monetary": [60.0, 6.0, 99.0, 1.0]}
    )
    moved = migration(then, now)
    english, chinese = moved.plot(), moved.plot(lang="zh")
    assert english.get_title(loc="left") == "33% of 3 payers changed segment; most of them: New to Loyal (1)"
    assert chinese.get_title(loc="left") == "3 位付费用户中 33% 换了分群；最多的是“New”到“Loyal”（1）"
    assert [ax.get_yticklabels()[-1].get_text() for ax in (english, chinese)] == [
        "(no payer yet)  1",
        "（尚未付费）  1",
    ]
    with pytest.raises(cl.ConfigError, match="fr"):
        moved.plot(lang="fr")
