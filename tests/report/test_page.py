"""The user table and the weekly page: complete, self-contained, escaped, masked, never half-written."""

from __future__ import annotations

import base64
import io
import itertools
import re
from html.parser import HTMLParser

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import commlife as cl
from commlife._figures.colours import STATES, contrast, heat, luminance
from commlife.report import to_csv
from commlife.report._format import integer, money, number, percent, points

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def community():
    return cl.datasets.make_community(n_users=900, seed=5)


@pytest.fixture(scope="module")
def clean(community):
    frame = community.frame.assign(
        user_id=[f"138{user:08d}" for user in community.frame["user_id"]],
        community=community.frame["community"].replace({"C01": EVIL, "C02": "=cmd|' /C calc'!A0"}),
    )
    names = {name: name for name in frame.columns}
    log = cl.OrderLog.from_frame(frame, **names, observed_from=community.world.start)
    return log.clean(cl.CleaningRules(exclude_categories=("housekeeping",), max_addresses_per_user=3))


@pytest.fixture(scope="module")
def silence(clean, community):
    return cl.SilenceModel(n_trees=30).fit(clean, as_of=community.as_of)


@pytest.fixture(scope="module")
def table(clean, community, silence):
    return cl.user_table(clean, as_of=community.as_of, silence=silence, budget=100.0)


@pytest.fixture(scope="module")
def page(clean, community, silence, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    written = {}
    for lang in ("en", "zh"):
        path = folder / f"{lang}.html"
        report = cl.weekly_report(clean, as_of=community.as_of, path=path, lang=lang, silence=silence, budget=100.0)
        assert report.path == path
        written[lang] = path.read_text(encoding="utf-8")
    assert sorted(p.name for p in folder.iterdir()) == ["en.html", "zh.html"], "nothing else is left behind"
    return written


def test_every_user_has_one_row(table, clean):
    payers = cl.purchase_summary(clean, as_of="2025-06-30")
    aside = set(clean.set_aside["user_id"]) - set(payers["user_id"])
    assert table["user_id"].tolist() == sorted({*payers["user_id"], *aside})
    segments = table.set_index("user_id")["segment"]
    assert set(segments.loc[sorted(aside)]) <= {"proxy_buyer", "service_buyer"}
    assert "proxy_buyer" in set(segments)


def test_the_table_says_what_each_room_says(table, clean, community, silence):
    rfm = cl.RFM().fit(clean, as_of=community.as_of).transform(clean, as_of=community.as_of).set_index("user_id")
    mine = table.set_index("user_id").loc[rfm.index]
    assert (mine["rfm_code"] == rfm["rfm_code"]).all()
    assert np.allclose(mine["monetary"], rfm["monetary"])
    risk = silence.predict(clean, as_of=community.as_of).set_index("user_id")["p_silent"]
    assert np.allclose(mine["p_silent"].dropna().sort_index(), risk.sort_index())
    assert mine["reason_1"].notna().sum() > 0.9 * len(risk)
    told = pd.concat([mine[f"reason_{rank}"] for rank in (1, 2, 3)]).dropna()
    assert not told.str.contains("all other features").any()
    assert told.str.contains(r"\+").all(), "reasons for a risk push it up"
    assert (table["coupon_cost"].sum()) <= 100.0
    notes = " ".join(table.attrs["notes"])
    assert "RFM was fitted here" in notes
    assert "silence model was fitted here" not in notes, "it was given"


def test_a_day_for_the_next_order_lies_ahead(table, community):
    ahead = table["next_order_by"].dropna()
    assert len(ahead)
    assert (ahead >= pd.Timestamp(community.as_of)).all()
    assert table["next_order_by"].isna().any(), "null where an order is less likely than not"


def test_the_table_comes_in_the_hosts_kind_of_frame(clean, community, silence, table):
    """The same answers from Polars (in kind) and DuckDB (as pandas, since its rows are in this process)."""
    wanted = cl.user_table(clean, as_of=community.as_of, silence=silence, budget=100.0)
    pd.testing.assert_frame_equal(table, wanted)
    whole = clean.whole.to_native()
    names = {name: name for name in whole.columns}
    for frame in (pl.from_pandas(whole), duckdb.connect().from_df(whole)):
        log = cl.OrderLog.from_frame(frame, **names, observed_from=community.world.start).clean(
            cl.CleaningRules(exclude_categories=("housekeeping",), max_addresses_per_user=3)
        )
        users = cl.user_table(log, as_of=community.as_of, silence=silence, budget=100.0)
        assert isinstance(users, pl.DataFrame if isinstance(frame, pl.DataFrame) else pd.DataFrame)
        users = users if isinstance(users, pd.DataFrame) else users.to_pandas()
        for column in ("user_id", "segment", "rfm_code", "state", "favourite_category", "price_band", "coupon_id"):
            assert users[column].fillna("").tolist() == wanted[column].fillna("").tolist(), column
        for column in ("monetary", "p_silent", "expected_spend_91d", "m_x"):
            np.testing.assert_allclose(users[column].astype(float), wanted[column].astype(float), rtol=1e-9)


def test_rows_at_or_after_as_of_change_nothing(clean, community, silence):
    early = "2025-06-16"
    before = clean.to_native()
    names = {name: name for name in before.columns}
    cut = cl.OrderLog.from_frame(before[before["ordered_at"] < early], **names, observed_from=community.world.start)
    whole = cl.OrderLog.from_frame(before, **names, observed_from=community.world.start)
    tables = [cl.user_table(log, as_of=early, silence=silence) for log in (cut, whole)]
    pd.testing.assert_frame_equal(*tables)


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.urls, self.csv, self.tags = [], {}, []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.urls += [given[name] for name in ("src", "href", "action") if name in given]
        if given.get("class") == "csv":
            self.csv[given["download"]] = given["href"]


def read(html):
    parser = _Links()
    parser.feed(html)
    return parser


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_asks_for_nothing_outside(page, lang):
    html = page[lang]
    parsed = read(html)
    assert all(url.startswith(("data:text/csv", "#")) for url in parsed.urls)
    assert "script" not in parsed.tags
    assert "<link" not in html
    assert "@import" not in html
    assert "url(" not in html
    for target in [url[1:] for url in parsed.urls if url.startswith("#")]:
        assert f'id="{target}"' in html


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_has_all_its_parts(page, lang):
    parts = re.findall(r'<section id="(\w+)"', page[lang])
    assert parts == [
        "numbers", "lifecycle", "communities", "retention", "segments", "calls", "risks", "drivers", "rules", "coupons", "notes",
    ]  # fmt: skip
    assert "nan" not in re.sub(r"data:[^\"]*", "", page[lang]).lower().replace("finance", "")


class _Reader(HTMLParser):
    """What a screen reader is told: pictures, tables with their headings, what the keyboard reaches, the headings."""

    VOID = frozenset({"meta", "br", "img", "path", "circle", "rect", "line", "polygon"})

    def __init__(self):
        super().__init__()
        self.open, self.pictures, self.tables, self.scrolls, self.headings, self.named = [], [], [], [], [], []
        self.language = None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "html":
            self.language = given.get("lang")
        if tag in {"svg", "img"}:
            self.pictures.append(given)
        if tag == "table":
            self.tables.append({"caption": "", "columns": [], "rows": [], "cells": 0})
            self.scrolls.append(self.open[-1][1])
        if tag == "th":
            self.tables[-1]["columns" if self.inside("thead") else "rows"].append([given.get("scope"), ""])
        if tag == "td":
            self.tables[-1]["cells"] += 1
        if tag in {"h1", "h2", "h3"}:
            self.headings.append([tag, ""])
        if tag in {"nav", "section", "a"}:
            self.named.append(given)
        if tag not in self.VOID:
            self.open.append((tag, given))

    def inside(self, tag):
        return any(name == tag for name, _ in self.open)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open[-1][0] == tag, f"<{self.open[-1][0]}> is not closed before </{tag}>"
            self.open.pop()

    def handle_data(self, data):
        if self.inside("caption"):
            self.tables[-1]["caption"] += data
        elif self.inside("th"):
            self.tables[-1]["columns" if self.inside("thead") else "rows"][-1][1] += data
        elif self.open and self.open[-1][0] in {"h1", "h2", "h3"}:
            self.headings[-1][1] += data


@pytest.mark.parametrize(("lang", "code"), [("en", "en"), ("zh", "zh-CN")])
def test_the_page_can_be_read_without_seeing_it(page, lang, code):
    reader = _Reader()
    reader.feed(page[lang])
    assert reader.language == code
    assert not reader.open, "every element is closed"
    assert len(reader.pictures) > 5
    assert all(picture["role"] == "img" and picture["aria-label"].strip() for picture in reader.pictures)
    assert len(reader.tables) > 8
    for table in reader.tables:
        assert table["caption"].strip(), table
        assert all(scope == "col" and name.strip() for scope, name in table["columns"]), table["columns"]
        assert table["rows"], table["caption"]
        assert all(scope == "row" and name.strip() for scope, name in table["rows"]), table["rows"]
        # One heading a row, and a cell under each other heading.
        assert table["cells"] == len(table["rows"]) * (len(table["columns"]) - 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_wide_tables_scroll_by_keyboard_and_say_what_they_are(page, lang):
    reader = _Reader()
    reader.feed(page[lang])
    assert all(box["tabindex"] == "0" and box["role"] == "region" and box["aria-label"] for box in reader.scrolls)
    assert [tag for tag, _ in reader.headings] == ["h1"] + ["h2"] * 11
    assert all(given.get("aria-label") or given.get("aria-labelledby") or "href" in given for given in reader.named)
    downloads = [given["aria-label"] for given in reader.named if given.get("class") == "csv"]
    assert len(downloads) >= 8, "links that only say CSV do not say of what"


def _painted(html):
    """Every pair of letters and ground that the page draws."""
    style = html[html.index("<style>") : html.index("</style>")]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style))
    letters = [colours[name] for name in ("ink", "quiet", "accent", "good", "bad")]
    grounds = ["#ffffff", colours["soft"]]
    cells = re.findall(r'style="background:(#[0-9a-f]{6});color:(#[0-9a-f]{6})"', html)
    return [(letter, ground) for letter in letters for ground in grounds] + [(ink, ground) for ground, ink in cells]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_letters_stand_out_from_their_ground(page, lang):
    """4.5 to 1 for small letters (WCAG 2.2, 1.4.3)."""
    pairs = _painted(page[lang])
    assert len(pairs) > 50
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def test_every_depth_of_a_heat_map_can_be_read():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01), "a known pair"
    for share in np.linspace(0, 1, 201):
        ground, ink = heat(share)
        assert contrast(ink, ground) >= 4.5, share


def test_neighbours_of_the_stack_differ_in_black_and_white():
    """Active, returned, new, existing: in print without colour each must end where the next one begins."""
    stack = [luminance(STATES[name]) for name in ("active", "returned", "new", "existing")]
    assert all(abs(one - next_one) > 0.12 for one, next_one in itertools.pairwise(stack))


def test_the_page_in_chinese_has_no_half_width_marks_between_chinese_words(page):
    text = re.sub(r"<style>.*?</style>|<[^>]+>", "\n", page["zh"], flags=re.DOTALL)
    assert not re.findall(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?(][\u4e00-\u9fff]", text)


def test_what_users_wrote_is_text(page):
    assert EVIL not in page["en"]
    assert "&lt;script&gt;" in page["en"]


def test_ids_are_masked_in_page_and_csv(page):
    parsed = read(page["en"])
    content = {name: base64.b64decode(url.split(",")[1]).decode("utf-8-sig") for name, url in parsed.csv.items()}
    assert set(content) >= {"numbers.csv", "segments.csv", "call_back.csv", "retention.csv", "drivers.csv", "rules.csv"}
    everything = re.sub(r"base64,[^\"]*", "", page["en"]) + "".join(content.values())
    assert not re.search(r"(?<![\d.])138\d{8}(?!\d)", everything)
    assert "138****" in everything


def test_csv_cells_are_no_formulas(page):
    for url in read(page["en"]).csv.values():
        frame = pd.read_csv(io.BytesIO(base64.b64decode(url.split(",")[1])), dtype=str, keep_default_na=False)
        for column in frame:
            texts = frame[column][pd.to_numeric(frame[column], errors="coerce").isna()]
            assert not texts.str.match(r"^[=+\-@\t\r]").any()


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1+2", "@sum", "\t=1", " =1", "=1"])
def test_formulas_get_an_apostrophe(value):
    assert pd.read_csv(io.StringIO(to_csv(pd.DataFrame({"x": [value]}))), keep_default_na=False)["x"][0] == f"'{value}"


def test_csv_leaves_numbers_and_lists_readable():
    frame = pd.DataFrame({"=n": [-1.5], "pair": [("a", "b")], "when": [pd.Timestamp("2025-01-01")], "none": [None]})
    assert to_csv(frame) == "'=n,pair,when,none\n-1.5,a + b,2025-01-01,\n"


def test_a_short_log_gets_a_page_that_says_what_is_missing(tmp_path):
    frame = pd.DataFrame(
        {
            "u": ["a", "b", "c", "a"],
            "t": ["2025-03-01", "2025-03-02", "2025-03-08", "2025-03-09"],
            "m": [5.0, 9.0, 1.0, 2.0],
        }
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    report = cl.weekly_report(log, as_of="2025-03-10", path=tmp_path / "short.html")
    # Caveats of fits that nobody asked for by name are notes on the page, not warnings from inside the library.
    assert any(note.startswith("Caveat: ") for note in report.notes)
    assert any("no silence model" in note for note in report.notes)
    assert len(report.users) == 3
    assert "<section" in report.path.read_text(encoding="utf-8")


def test_wrong_arguments_are_refused(clean, community, tmp_path):
    with pytest.raises(cl.ConfigError, match="no folder"):
        cl.weekly_report(clean, as_of=community.as_of, path=tmp_path / "none" / "report.html")
    with pytest.raises(cl.ConfigError, match="is a folder"):
        cl.weekly_report(clean, as_of=community.as_of, path=tmp_path)
    with pytest.raises(cl.ConfigError, match="lang"):
        cl.user_table(clean, as_of=community.as_of, lang="fr")
    with pytest.raises(cl.ConfigError, match="offers"):
        cl.user_table(clean, as_of=community.as_of, offers=[])
    with pytest.raises(cl.InsufficientDataError):
        cl.user_table(clean, as_of="2024-01-01")


def test_numbers_are_written_short():
    assert [integer(1234.4), money(99.5), money(1234.5), number(12.34), number(1.234), number(5000)] == [
        "1,234", "99.50", "1,234", "12.3", "1.23", "5,000",
    ]  # fmt: skip
    assert [percent(0.371), percent(0.0123), points(0.0004), points(0.0132)] == ["37%", "1.2%", "< .001", ".013"]
    assert {integer(None), money("x"), number(float("inf")), percent(float("nan")), points(None)} == {"–"}


def test_a_long_list_is_cut_in_the_page_and_says_so(clean, community, silence, tmp_path, monkeypatch):
    monkeypatch.setattr("commlife.report._layout.MOST_TAKEN_AWAY", 7)
    path = tmp_path / "page.html"
    cl.weekly_report(clean, as_of=community.as_of, path=path, silence=silence, budget=100.0)
    text = path.read_text(encoding="utf-8")
    assert "CSV: the first 7 of " in text
    links = re.findall(r'download="risks.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', text)
    assert len(pd.read_csv(io.BytesIO(base64.b64decode(links[0])))) == 7
