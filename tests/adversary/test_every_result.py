"""Every result there is, made from a log of hostile names: no whole phone, no live markup, no formula is shown.

The registry is that of ``tests/samples``: a new result is tried here as soon as it has its sample there.
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

import commlife as cl
import every_result
from commlife.report.csv import to_csv

MARKUP, FORMULA, TURNED = "<script>alert(1)</script>", "=cmd('calc')!A1", "\u202e<b onload=x>desrever\u202c"
#: More of a phone than its masked form shows.
WHOLE_PHONE = re.compile(r"1381234\d")
LIVE = re.compile(r"<\s*script|<\s*b\s+onload", re.IGNORECASE)


def phone(user: object) -> str:
    """A phone of its own for each user, whatever the user is called."""
    return f"1381234{int(re.sub(r'[^0-9]', '', str(user)) or ord(str(user)[0])):04d}"


def hostile(name: object) -> str:
    """Another name for each name: every third of each kind."""
    number = sum(map(ord, str(name)))
    return f"{(MARKUP, FORMULA, TURNED)[number % 3]}{name}"


class HostileShop(every_result.Shop):
    """The shop of the samples: users are phones, items, categories and communities wish the reader ill."""

    @functools.cached_property
    def world(self):
        made = super().world
        frame = made.log.to_native()
        frame["user_id"] = frame["user_id"].map(phone)
        for name in ("item_id", "category", "community", "channel", "coupon_id"):
            if name in frame:
                frame[name] = frame[name].map(hostile, na_action="ignore")
        names = {name: name for name in frame.columns}
        log = cl.OrderLog.from_frame(frame, **names, observed_from=made.log.first_day)
        trial = made.trial().assign(user_id=lambda table: table["user_id"].map(phone))
        return SimpleNamespace(log=log, trial=lambda: trial)

    @functools.cached_property
    def trial(self):
        made = super().trial
        return made.assign(user_id=made["user_id"].map(phone))

    @functools.cached_property
    def users(self):
        made = super().users
        return made.assign(user_id=made["user_id"].map(phone))

    @functools.cached_property
    def issued(self):
        return super().issued.assign(user_id="13812340001")


@pytest.fixture(scope="module")
def shop():
    return HostileShop()


def shown(result) -> dict[str, str]:
    """What a result shows without being asked; a frame is the answer itself, ids and all."""
    if every_result._is_frame(result):
        return {}
    texts = {"repr": repr(result), "str": str(result)}
    for way in ("_repr_html_", "_repr_markdown_", "_repr_svg_"):
        if hasattr(result, way):
            texts[way] = getattr(result, way)()
    return texts


@pytest.mark.parametrize("name", sorted(every_result.MADE))
def test_nothing_hostile_is_shown(shop, name, caplog):
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = every_result.MADE[name](shop)
    texts = shown(result)
    texts["log records"] = caplog.text
    texts["warnings"] = "\n".join(str(warning.message) for warning in caught)
    for way, text in texts.items():
        seen = WHOLE_PHONE.search(text)
        assert not seen, f"{way} shows a whole phone: {text[max(0, seen.start() - 80) : seen.end() + 80]}"
        if way in ("_repr_html_", "_repr_svg_"):
            live = LIVE.search(text)
            assert not live, f"{way} has live markup: {text[max(0, live.start() - 80) : live.end() + 80]}"
    for title, frame in every_result.frames(result).items():
        written = to_csv(frame)
        read = pd.read_csv(pd.io.common.StringIO(written), dtype=str, keep_default_na=False)
        for column in read.columns:
            cells = [str(column), *read[column]]
            runs = [cell for cell in cells if re.match(r"\s*[=+@\t\r]|\s*-(?![\d.]|inf|nan)", cell)]
            assert not runs, f"{title}: a spreadsheet runs {runs[0]!r}"


def test_the_shop_is_hostile(shop):
    """Or nothing was tried."""
    lines = shop.log.to_native()
    assert lines["user_id"].str.match(WHOLE_PHONE.pattern).all()
    for evil in ("<script>", "=cmd", "\u202e"):
        assert any(lines[name].astype(str).str.contains(evil, regex=False).any() for name in ("item_id", "community"))
    assert "&lt;script&gt;" in shop.weeks._repr_html_()
    assert "'=cmd" in to_csv(lines)


@pytest.mark.parametrize("way", ["errors", "items"])
def test_errors_that_name_what_was_given_show_no_whole_phone(shop, way):
    """Ids given in the place of something else: a list of them, one of them, a frame of them."""
    ids = shop.log.to_native()["user_id"].tolist()[:5]
    tried = {
        "errors": [
            lambda: cl.Lifecycle(period=ids[0]),
            lambda: cl.RFM(n_bins=ids),
            lambda: cl.RFM(cuts={ids[0]: ids}),
            lambda: cl.cohort_table(shop.log, as_of=ids[0]),
            lambda: cl.cohort_table(shop.log, as_of=shop.as_of, by=ids[0]),
            lambda: cl.user_table(shop.log, as_of=shop.as_of, offers=ids),
            lambda: cl.allocate(ids, ids, budget=ids[0]),
            lambda: cl.apportion(ids, ids[0]),
            lambda: cl.RFM.from_json(ids[0]),
            lambda: cl.FittedRFM.from_json(f'{{"kind": "{ids[0]}"}}'),
        ],
        "items": [
            lambda: cl.cross_sell(shop.rules, ids[0]),
            lambda: cl.frequent_itemsets(shop.log, as_of=shop.as_of, min_count=ids[0]),
            lambda: cl.attach_rate(shop.log, as_of=shop.as_of, anchor=ids, addon=ids),
            lambda: cl.product_heat(shop.log, as_of=shop.as_of, top=ids[0]),
            lambda: cl.business_metrics(shop.log, as_of=shop.as_of, metrics=ids),
        ],
    }[way]
    for ask in tried:
        with pytest.raises(cl.CommlifeError) as caught:
            ask()
        assert not WHOLE_PHONE.search(str(caught.value)), caught.value
