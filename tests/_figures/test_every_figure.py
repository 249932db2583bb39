"""Every figure of a result, with names in Chinese: no box on a machine with Chinese letters, none on one without."""

from __future__ import annotations

import inspect
import io
import warnings

import matplotlib.pyplot as plt
import pytest

import every_result
from commlife._figures import fonts
from commlife.errors import CommlifeWarning


class ChineseShop(every_result.Shop):
    """The samples' shop, whose communities, items and categories have Chinese names."""

    @property
    def world(self):
        made = super().world
        if not hasattr(self, "_log"):
            frame = made.log.to_native()
            for name in ("item_id", "category", "community"):
                frame[name] = "东湖" + frame[name].astype(str)
            self._log = type(made.log).from_frame(frame, **{name: name for name in frame.columns})
        return type("World", (), {"log": self._log, "trial": made.trial})


@pytest.fixture(scope="module")
def figures():
    """How each is drawn, by the result's name."""
    shop, found = ChineseShop(), {}
    for name in sorted(every_result.MADE):
        if name == "RetentionAlerts":  # so small a shop has none: tests/cohorts draws them
            continue
        result = every_result.make(name, shop)
        if callable(getattr(result, "plot", None)) and not every_result._is_frame(result):
            found[name] = result.plot
    return found


def drawn(plot, **more) -> set[str]:
    """The texts of the figure, drawn to the end; a letter without a glyph is an error."""
    plt.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CommlifeWarning)
        ax = plot(**more)
        figure = getattr(ax, "figure", ax)
        figure.savefig(io.BytesIO(), dpi=40)
    return {text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))}


def calls(figures):
    for name, plot in figures.items():
        known = inspect.signature(plot).parameters
        more = {"group": "东湖C01"} if name == "CohortTable" else {}
        for lang in ("en", "zh") if "lang" in known else (None,):
            yield name, plot, more | ({} if lang is None else {"lang": lang})


def test_all_are_drawn_with_chinese_letters(figures):
    if fonts.chinese_family() is None:
        pytest.skip("this machine has no font with Chinese letters")
    assert len(figures) > 20
    chinese = 0
    for name, plot, more in calls(figures):
        texts = drawn(plot, **more)
        said = sum(bool(fonts._CHINESE.search(text)) for text in texts)
        assert said or more.get("lang") != "zh", f"{name} says nothing in Chinese"
        chinese += said > 0
    assert chinese >= 15


def test_all_are_drawn_without_boxes_where_no_font_has_the_letters(figures, monkeypatch):
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    for name, plot, more in calls(figures):
        assert not [text for text in drawn(plot, **more) if fonts._CHINESE.search(text)], name
