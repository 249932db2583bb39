"""Figures draw, in colours and words that a reader can use."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path

import numpy as np
import pytest

from commlife.churn import FittedSilenceModel, suggest_horizon
from commlife.datasets import Community
from commlife.errors import ConfigError, InsufficientDataError


def test_each_figure_draws(model: FittedSilenceModel) -> None:
    values = dict(zip(model.forest.names, model.reference.X[0].tolist(), strict=True))
    axes = [
        model.plot.beeswarm(top=6),
        model.plot.waterfall(values, top=4),
        model.plot.calibration(),
        model.plot.ranks(top=5),
        model.plot.lift(),
        model.plot.dependence("recency_days"),
    ]
    for ax in axes:
        ax.figure.canvas.draw()
        assert ax.get_xlabel()
        assert ax.get_title(loc="left")
    assert len(axes[0].get_yticklabels()) == 6
    assert len(axes[1].patches) == 5
    told = model.explain_one(values)
    last = axes[1].patches[-1]
    assert last.get_x() + last.get_width() == pytest.approx(100 * told.p_silent)


def test_figures_speak_chinese(model: FittedSilenceModel) -> None:
    assert "百分点" in model.plot.beeswarm(top=2, lang="zh").get_xlabel()


def test_figures_draw_on_given_axes(model: FittedSilenceModel) -> None:
    ax = model.plot.calibration()
    assert model.plot.dependence("orders", ax=ax) is ax


def test_wrong_arguments_of_figures(model: FittedSilenceModel) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'orders'"):
        model.plot.dependence("order")
    with pytest.raises(ConfigError, match="top is"):
        model.plot.ranks(top=0)
    with pytest.raises(ConfigError, match="lang"):
        model.plot.calibration(lang="fr")


def test_drift_of_the_same_users_is_small_and_of_others_is_told(world: Community, model: FittedSilenceModel) -> None:
    same = model.drift(world.log, as_of="2025-05-05")
    assert same.to_frame()["feature"].iloc[0] == "p_silent"
    assert same.frame["psi"].ge(0).all()
    early = model.drift(world.log, as_of="2025-01-13")
    assert early.frame["psi"].max() > same.frame["psi"].max()
    assert early.advice.startswith("Refit")
    assert not same.advice.startswith("Refit")


def test_a_horizon_is_suggested_from_the_gaps(world: Community) -> None:
    told = suggest_horizon(world.log, as_of=world.as_of)
    curve = told.to_frame()
    assert curve["returned"].is_monotonic_increasing
    days = int(told.horizon[:-1])
    assert days % 7 == 0
    by_then = curve.set_index("days")["returned"][days]
    assert by_then >= 0.9 * curve["returned"].iloc[-1]
    final = curve["returned"].iloc[-1]
    assert told.comes_back_later == pytest.approx((final - by_then) / (1 - by_then))
    assert "silent, not lost" in told.sentence
    assert told.plot().get_ylim() == (0, 1)
    longer = suggest_horizon(world.log, as_of=world.as_of, share=0.99)
    assert int(longer.horizon[:-1]) >= days


def test_no_horizon_without_returns(world: Community) -> None:
    with pytest.raises(InsufficientDataError, match="100 returns"):
        suggest_horizon(world.log, as_of="2025-01-01")
    with pytest.raises(ConfigError, match="share"):
        suggest_horizon(world.log, as_of=world.as_of, share=1.0)
    assert np.isfinite(suggest_horizon(world.log, as_of=world.as_of).comes_back_later)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_driver_page_is_one_file_that_needs_nothing_else(
    model: FittedSilenceModel, tmp_path: Path, lang: str
) -> None:
    path = model.driver_report(tmp_path / "drivers.html", lang=lang)
    page = path.read_text("utf-8")
    assert (model.verdict if lang == "en" else model.verdict_zh).replace("'", "&#x27;") in page
    table = model.drivers(lang=lang)
    shown = table[table["level"] == "group"].head(8)
    for label, effect in zip(shown["label"], 100 * shown["effect_pp"], strict=True):
        assert html.escape(label) in page
        assert f"{effect:+.1f}</td>" in page
    assert page.count("<svg") >= 10
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)([^"']+)""", page)
    assert outside == []
    assert "<script" not in page
    assert page.count("<svg") == len(re.findall(r'<svg[^>]* role="img" aria-label="[^"]+"', page.replace("\n", " ")))
    assert page.count("<caption>") == page.count("<table>") == page.count('role="region" tabindex="0"') == 1
    assert re.findall(r"<th(?! scope='(?:col|row)')[ >]", page) == []
    assert page.count("<th scope='row'>") == len(shown)
    again = model.driver_report(tmp_path / "again.html", lang=lang)
    assert again.read_bytes() == path.read_bytes()


def test_labels_of_a_host_are_escaped_on_the_driver_page(model: FittedSilenceModel, tmp_path: Path) -> None:
    hostile = tuple(dataclasses.replace(f, en=f"<script>{f.name}</script>") for f in model.features)
    told = dataclasses.replace(model, features=hostile).driver_report(tmp_path / "drivers.html")
    page = told.read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_driver_page_in_no_folder_is_refused(model: FittedSilenceModel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        model.driver_report(tmp_path / "missing" / "drivers.html")
    with pytest.raises(ConfigError, match="lang"):
        model.driver_report(tmp_path / "drivers.html", lang="fr")
