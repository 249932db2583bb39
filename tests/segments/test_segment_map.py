"""Segment maps: total, without overlaps, and those that come with the library."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife.segments import Segment, SegmentMap, standard_map


def test_the_standard_eleven_partition_the_grid():
    """The code list that Squeezely publishes: sizes of the eleven segments."""
    frame = standard_map("standard_11", 5).to_frame().set_index("segment")
    assert frame["codes"].to_dict() == {
        "Champions": 7, "Loyal": 8, "Potential Loyalist": 24, "New": 7, "Promising": 16, "Need Attention": 8,
        "About To Sleep": 8, "At Risk": 22, "Cannot Lose": 8, "Hibernating": 11, "Lost": 6,
    }  # fmt: skip
    assert frame.loc["Cannot Lose", "name_en"] == "Cannot lose them"
    assert (frame != "").all().all()


def test_the_standard_eleven_are_the_published_ones(shared):
    published = pd.read_csv(shared / "rfm_standard_11.csv", dtype=str).set_index("rfm_code")["segment"]
    assert standard_map("standard_11", 5).labels() == published.to_dict()


@pytest.mark.parametrize("n_bins", range(2, 10))
def test_octants_are_high_above_the_middle(n_bins):
    octants = standard_map("octants", n_bins)
    middle = (1 + n_bins) / 2
    named = {
        "HHH": "重要价值", "HLH": "重要发展", "LHH": "重要保持", "LLH": "重要挽留",
        "HHL": "一般价值", "HLL": "一般发展", "LHL": "一般保持", "LLL": "一般挽留",
    }  # fmt: skip
    labels = octants.labels()
    assert len(labels) == n_bins**3
    for code, label in labels.items():
        assert label == named["".join("H" if int(score) > middle else "L" for score in code)]


@pytest.mark.parametrize("n_bins", range(3, 10))
def test_the_3x3_is_even(n_bins):
    nine = standard_map("grid_3x3", n_bins)
    assert len(nine.segments) == 9
    assert nine.segment_of("1" * 3) == "Tried and gone"
    assert nine.segment_of(str(n_bins) * 3, lang="zh") == "核心客户"
    sizes = nine.to_frame().set_index("segment")["codes"]
    assert sizes["Core"] == sizes["Tried and gone"] == sizes["Newcomers"]


def test_from_rules():
    rules = {"top": {"r": (2, 3), "f": 3}, "asleep": {"r": 1}}
    made = SegmentMap.from_rules(rules, n_bins=3, otherwise="rest")
    assert [len(segment.codes) for segment in made.segments] == [6, 9, 12]
    assert made.segment_of("231") == "top"
    assert made.labels("en") == made.labels()
    assert SegmentMap.from_json(made.to_json()) == made
    assert repr(made) == str(made) == "SegmentMap(3 segments of 3x3x3 codes)"
    whole = SegmentMap.from_rules({"all": {}}, n_bins=2, otherwise="none left")
    assert len(whole.segments) == 1


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"a": {"r": (1, 2)}, "b": {"r": (2, 5)}}, "25 codes are in several segments: 211 in a and b"),
        ({"a": {"r": (1, 4)}}, "25 codes are in no segment: 511"),
        ({"a": {"r": (0, 4)}}, "from 1 to 5"),
        ({"a": {"r": (4, 1)}}, "from 1 to 5"),
        ({"a": {"r": True}}, "from 1 to 5"),
        ({"a": {"r": "15"}}, "from 1 to 5"),
        ({"a": {"R": 1}}, "dimension 'R' is unknown"),
        ({"a": 5}, "mapping"),
        ([("a", {})], "rules map segment names"),
    ],
)
def test_wrong_rules_are_refused(rules, told):
    with pytest.raises(cl.ConfigError, match=told):
        SegmentMap.from_rules(rules)


def test_all_faults_of_a_map_are_told_at_once():
    codes = ("111", "112", "121", "122", "211", "212", "221")
    segments = (Segment(name="a", codes=codes), Segment(name="a", codes=("111", "999", "x")))
    with pytest.raises(cl.ConfigError) as caught:
        SegmentMap(n_bins=2, segments=segments)
    for told in (
        "'a' stands twice",
        "2 codes are not on the 2x2x2 grid: 999, x",
        "1 codes are in no segment: 222",
        "1 codes are in several",
    ):
        assert told in str(caught.value)


@pytest.mark.parametrize(("n_bins", "rules"), [(1, {}), (True, {}), ("5", {})])
def test_wrong_sizes_are_refused(n_bins, rules):
    with pytest.raises(cl.ConfigError, match="n_bins"):
        SegmentMap.from_rules(rules, n_bins=n_bins)


def test_unknown_codes_and_names_are_refused():
    with pytest.raises(cl.ConfigError, match="666"):
        standard_map("standard_11", 5).segment_of("666")
    with pytest.raises(cl.ConfigError, match="octants"):
        standard_map("octant", 5)


def test_rules_carry_names_and_actions():
    rules = {
        "top": {"r": 2, "name_zh": "核心", "next_action_en": "Thank.", "next_action_zh": "致谢。"},
        "rest": {"r": 1},
    }
    made = SegmentMap.from_rules(rules, n_bins=2)
    frame = made.to_frame().set_index("segment")
    assert frame.loc["top", ["name_zh", "next_action_en", "next_action_zh"]].tolist() == ["核心", "Thank.", "致谢。"]
    assert frame.loc["rest", "next_action_en"] == ""
    with pytest.raises(cl.ConfigError, match="Did you mean 'name_en'"):
        SegmentMap.from_rules({"top": {"name_eng": "x"}}, n_bins=2)
