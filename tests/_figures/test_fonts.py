"""Letters of every figure: Chinese without boxes where the machine has a font, a warning where it has none."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from commlife._figures import fonts
from commlife._figures.axes import drawn, finish, letters_on, new_axes
from commlife._figures.colours import contrast
from commlife.errors import ModelWarning

WORDS = "沉默用户：回流、连带率 80% (CNY)"


def _draw(words: str) -> Figure:
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    finish(axes, words, below=words)
    axes.set_xlabel(words)
    axes.bar([words], [1.0])
    figure.canvas.draw()
    return figure


def test_chinese_is_drawn_without_boxes_or_a_warning_says_what_to_install() -> None:
    """Matplotlib warns of each letter that no font has; here warnings are errors."""
    if fonts.chinese_family() is not None:
        with fonts.written("zh"):
            _draw(WORDS)
        with fonts.written("en"):
            _draw(WORDS)  # names from the host's data
    else:
        with pytest.warns(ModelWarning, match="Noto Sans CJK"), fonts.written("zh"):
            pass


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose fonts have no Chinese."""
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)


@pytest.mark.usefixtures("poor")
def test_a_machine_without_chinese_letters_is_told_and_gets_english_labels() -> None:
    assert fonts.families() == ["DejaVu Sans"]
    with pytest.warns(ModelWarning, match="Install Noto Sans CJK"), fonts.written("zh") as spoken:
        assert spoken == "en"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fonts.written("en") as spoken:
            assert spoken == "en"


@pytest.mark.usefixtures("poor")
def test_names_without_letters_get_short_ones_instead_of_boxes() -> None:
    """Matplotlib warns of each letter that no font has; here warnings are errors."""
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.bar(["东湖花园", "西山 3"], [1.0, 2.0], label="东湖花园")
    axes.legend()
    axes.text(0, 1, "西山")
    axes.set_yticks([0.0, 1.0], ["无", "some"])
    with pytest.warns(ModelWarning, match="n1 = 东湖花园, n2 = 西山, n3 = 无"):
        finish(axes, "Users of 东湖花园")
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["n1", "n2 3"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["n3", "some"]
    assert axes.get_title(loc="left") == "Users of n1"
    assert axes.texts[0].get_text() == "n2"


@pytest.mark.usefixtures("poor")
def test_an_svg_whose_texts_stay_texts_keeps_its_chinese() -> None:
    """The reader's machine brings the letters: so do our own pages."""
    with mpl.rc_context({"svg.fonttype": "none"}), fonts.written("zh") as spoken:
        axes = Figure(layout="constrained").subplots()
        finish(axes, WORDS)
    assert spoken == "zh"
    assert axes.get_title(loc="left") == WORDS


def test_drawing_leaves_all_other_settings_as_they_are() -> None:
    """Seen in notebooks: the first figure loads the backend, a context of all settings undid it, no later one showed."""
    before, interactive = mpl.rcParams["font.family"], mpl.rcParams["interactive"]
    try:
        with fonts.written("en"):
            assert mpl.rcParams["font.family"] == fonts.families()
            mpl.rcParams["interactive"] = not interactive
        assert mpl.rcParams["interactive"] is not interactive
    finally:
        mpl.rcParams["interactive"] = interactive
    assert mpl.rcParams["font.family"] == before
    with pytest.raises(ZeroDivisionError), fonts.written("en"):
        _ = 1 / 0
    assert mpl.rcParams["font.family"] == before


def test_a_decorated_figure_warns_in_its_own_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    seen = []
    draw = drawn(lambda *, lang="en": seen.append(mpl.rcParams["font.family"]))
    draw()
    with pytest.warns(ModelWarning, match="English"):
        draw(lang="zh")
    assert seen == [["DejaVu Sans"], ["DejaVu Sans"]]


def test_letters_on_every_colour_of_a_map_can_be_read() -> None:
    axes = new_axes(None, 3, 2)
    for name in ("Blues", "PuOr_r", "viridis"):
        image = axes.pcolormesh([[0.0, 1.0]], cmap=name, vmin=0, vmax=1)
        for value in (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
            ground = mpl.colors.to_hex(image.cmap(image.norm(value)))
            assert contrast(letters_on(image, value), ground) >= 4.5
    assert new_axes(axes, 9, 9) is axes
    mpl.pyplot.close(axes.figure)
