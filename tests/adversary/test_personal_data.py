"""Phones and addresses stay out of errors, reprs and logs beyond a masked example."""

from __future__ import annotations

import logging
import warnings

import pandas as pd
import pytest

import commlife as cl

PHONES = [f"1381234{i:04d}" for i in range(60)]
HOMES = [f"Plum Street {i}, door 1381234" for i in range(60)]
AS_OF = "2025-06-01"


def rows(**changes):
    n = len(PHONES)
    frame = pd.DataFrame(
        {
            "phone": PHONES,
            "at": [f"2025-0{1 + i % 5}-1{i % 9}" for i in range(n)],
            "paid": [10.0 + i for i in range(n)],
            "door": HOMES,
            "no": [f"{phone}-1" for phone in PHONES],
            "estate": [f"e{i % 3}" for i in range(n)],
            "class": [f"c{i % 4}" for i in range(n)],
            "sku": [f"s{i % 7}" for i in range(n)],
        }
    )
    return frame.assign(**changes)


def log_of(frame, **more):
    return cl.OrderLog.from_frame(
        frame, user_id="phone", ordered_at="at", amount="paid", address_id="door", order_id="no", community="estate",
        category="class", item_id="sku", **more,
    )  # fmt: skip


def is_clean(text: str) -> bool:
    return "1381234" not in text and "Plum" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"paid": [12.345] * 60},
        {"paid": [float("nan")] * 60},
        {"paid": [1e300] * 60},
        {"at": ["helo"] * 60},
        {"at": ["1066-10-14"] * 60},
        {"at": [None] * 60},
        {"at": PHONES},
        {"paid": PHONES},
        {"phone": [[phone] for phone in PHONES]},
        {"phone": [None, *PHONES[1:]]},
        {"no": [None, *PHONES[1:]]},
    ],
)
@pytest.mark.parametrize("on_fault", ["raise", "set_aside"])
def test_faults_of_an_export_show_no_whole_id(changes, on_fault):
    """The rows themselves are in .set_aside, where the host asked for them."""
    try:
        log = log_of(rows(**changes), on_fault=on_fault)
    except cl.SchemaError as error:
        told = str(error) + error.faults.to_string() + repr(error)
    else:
        told = repr(log) + log.faults.to_string()
    assert is_clean(told), told


def test_reprs_and_warnings_and_logs_show_no_whole_id(caplog):
    caplog.set_level(logging.DEBUG)
    log = log_of(rows())
    rules = cl.CleaningRules(max_addresses_per_user=1, merge_within="1D")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        things = [
            log,
            log.clean(rules),
            cl.RFM(n_bins=2, segment_map="octants").fit(log, as_of=AS_OF),
            cl.Lifecycle().fit(log, as_of=AS_OF),
            cl.Loyalty().fit(log, as_of=AS_OF),
            cl.cohort_table(log, as_of=AS_OF, period="month"),
            cl.frequent_itemsets(log, as_of=AS_OF, level="item_id", min_support=0.01),
            cl.contact_lists(log, as_of=AS_OF),
        ]
    told = "".join(repr(thing) + getattr(thing, "_repr_html_", str)() for thing in things)
    told += "".join(str(warning.message) for warning in caught) + caplog.text
    assert is_clean(told), told
