"""Segment maps: which RFM codes make a segment, what it is called, and what to do with it. Maps are data."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from commlife._model import Spec
from commlife.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Segment", "SegmentMap"]

#: Scores are written as one digit each.
FEWEST_BINS, MOST_BINS = 2, 9
#: What a rule may say of its segment besides the scores.
_TEXTS = ("name_en", "name_zh", "next_action_en", "next_action_zh")


class Segment(Spec):
    """One segment of a map.

    Args:
        name: What stands in the column ``segment``.
        codes: The RFM codes that make it, such as ``("554", "555")``.
        name_en: Its name in English.
        name_zh: Its name in Chinese.
        next_action_en: What to do with its users, in English.
        next_action_zh: The same in Chinese.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    codes: Annotated[tuple[str, ...], Field(min_length=1)]
    name_en: str = ""
    name_zh: str = ""
    next_action_en: str = ""
    next_action_zh: str = ""

    def label(self, lang: str | None) -> str:
        """Its name in a language; ``name`` where there is none, or ``lang`` is None."""
        return {"en": self.name_en, "zh": self.name_zh}.get(lang or "", "") or self.name


class SegmentMap(Spec):
    """A partition of all RFM codes of a grid into named segments: every code in exactly one.

    Args:
        n_bins: Scores run from 1 to ``n_bins`` (2 to 9) in each of recency, frequency and monetary.
        segments: The segments; together they hold each of the ``n_bins ** 3`` codes once.

    Raises:
        ConfigError: If a code is in two segments, in none, or not on the grid; all such faults are told at once.

    Examples:
        >>> segment_map = SegmentMap.from_rules({"keep": {"r": (2, 2)}}, n_bins=2, otherwise="wake")
        >>> segment_map.segment_of("211"), segment_map.segment_of("122")
        ('keep', 'wake')
    """

    n_bins: Annotated[int, Field(ge=FEWEST_BINS, le=MOST_BINS)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_a_partition(self) -> Self:
        names = [segment.name for segment in self.segments]
        faults = [f"segment {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
        grid = grid_codes(self.n_bins)
        homes: dict[str, list[str]] = {code: [] for code in grid}
        foreign: list[str] = []
        for segment in self.segments:
            for code in segment.codes:
                if code in homes:
                    homes[code].append(segment.name)
                else:
                    foreign.append(code)
        missing = [code for code, home in homes.items() if not home]
        shared = [f"{code} in {' and '.join(home)}" for code, home in homes.items() if len(home) > 1]
        if foreign:
            faults.append(
                f"{len(foreign)} codes are not on the {self.n_bins}x{self.n_bins}x{self.n_bins} grid: {_some(foreign)}"
            )
        if missing:
            faults.append(f"{len(missing)} codes are in no segment: {_some(missing)}")
        if shared:
            faults.append(f"{len(shared)} codes are in several segments: {_some(shared)}")
        if faults:
            raise ConfigError(
                f"a segment map holds each of the {len(grid)} codes once; "
                + "; ".join(faults)
                + ". Put each code into one."
            )
        return self

    @classmethod
    def from_rules(
        cls,
        rules: Mapping[str, Mapping[str, tuple[int, int] | int | str]],
        *,
        n_bins: int = 5,
        otherwise: str | None = None,
    ) -> SegmentMap:
        """A map from ranges of scores.

        Args:
            rules: For each segment the scores of ``r``, ``f`` and ``m``: a number, or (lowest, highest), both
                included. A dimension that is not named may be anything. Segments must not overlap. A rule may
                carry ``name_en, name_zh, next_action_en, next_action_zh`` as well.
            n_bins: Size of the grid.
            otherwise: Name of the segment of all codes that no rule takes; None demands that none is left.

        Raises:
            ConfigError: If a range is not on the grid, or the rules overlap or leave codes over.
        """
        if isinstance(n_bins, bool) or not isinstance(n_bins, int) or not FEWEST_BINS <= n_bins <= MOST_BINS:
            raise ConfigError(f"n_bins is a whole number from {FEWEST_BINS} to {MOST_BINS}; seen {n_bins!r}.")
        if not isinstance(rules, Mapping):
            raise ConfigError(f"rules map segment names to ranges of scores; seen {type(rules).__name__}.")
        codes = {name: _codes_of_rule(name, rule, n_bins) for name, rule in rules.items()}
        if otherwise is not None:
            taken = set(itertools.chain.from_iterable(codes.values()))
            rest = tuple(code for code in grid_codes(n_bins) if code not in taken)
            if rest:
                codes[otherwise] = (*codes.get(otherwise, ()), *rest)
        segments = (Segment(name=name, codes=held, **_texts(rules.get(name, {}))) for name, held in codes.items())
        return cls(n_bins=n_bins, segments=tuple(segments))

    def segment_of(self, code: str, *, lang: Literal["en", "zh"] | None = None) -> str:
        """Name of the segment that holds ``code``.

        Raises:
            ConfigError: If the code is not on the grid.
        """
        for segment in self.segments:
            if code in segment.codes:
                return segment.label(lang)
        raise ConfigError(
            f"the RFM code {code!r} is not on the grid; it has three digits from 1 to {self.n_bins}. Give such a code."
        )

    def labels(self, lang: Literal["en", "zh"] | None = None) -> dict[str, str]:
        """From each code of the grid to its segment's name, codes ascending."""
        held = {code: segment.label(lang) for segment in self.segments for code in segment.codes}
        return {code: held[code] for code in sorted(held)}

    def to_frame(self) -> pd.DataFrame:
        """One row a segment: ``segment, name_en, name_zh, codes`` (how many), ``next_action_en, next_action_zh``."""
        import pandas as pd

        rows = [
            (s.name, s.label("en"), s.label("zh"), len(s.codes), s.next_action_en, s.next_action_zh)
            for s in self.segments
        ]
        columns = ["segment", "name_en", "name_zh", "codes", "next_action_en", "next_action_zh"]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return f"SegmentMap({len(self.segments)} segments of {self.n_bins}x{self.n_bins}x{self.n_bins} codes)"

    __str__ = __repr__


def grid_codes(n_bins: int) -> list[str]:
    """All codes of a grid, ascending."""
    digits = [str(score) for score in range(1, n_bins + 1)]
    return ["".join(code) for code in itertools.product(digits, repeat=3)]


def _texts(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: rule[key] for key in _TEXTS if key in rule}


def _codes_of_rule(name: str, rule: Any, n_bins: int) -> tuple[str, ...]:
    if not isinstance(rule, Mapping):
        raise ConfigError(f"rule {name!r} is a mapping such as {{'r': (4, 5)}}; seen {rule!r:.60}.")
    unknown = [key for key in rule if key not in ("r", "f", "m", *_TEXTS)]
    if unknown:
        raise ConfigError.unknown_name(f"rule {name!r}: the dimension", unknown[0], ("r", "f", "m", *_TEXTS))
    ranges = [_scores(name, key, rule.get(key, (1, n_bins)), n_bins) for key in ("r", "f", "m")]
    return tuple("".join(str(score) for score in code) for code in itertools.product(*ranges))


def _scores(name: str, key: str, given: Any, n_bins: int) -> range:
    pair = (given, given) if isinstance(given, int) else given
    sound = isinstance(pair, Sequence) and len(pair) == 2 and all(type(score) is int for score in pair)
    if not sound or not 1 <= pair[0] <= pair[1] <= n_bins:
        raise ConfigError(
            f"rule {name!r}: {key} is a score or (lowest, highest) from 1 to {n_bins}; seen {given!r:.40}."
        )
    return range(pair[0], pair[1] + 1)


def _some(values: Sequence[str]) -> str:
    return ", ".join(values[:6]) + (", ..." if len(values) > 6 else "")
