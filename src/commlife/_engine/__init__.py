"""The boundary to every kind of frame: what differs between engines is here, and nowhere else."""

from commlife._engine.cells import first_and_whole, greatest_by_key, sums_by_cell, sums_by_codes
from commlife._engine.firsts import at_first
from commlife._engine.frames import (
    EAGER,
    KINDS,
    bounded,
    collect,
    collect_rows,
    count_rows,
    frame_like,
    from_host,
    hold_lines,
    is_eager,
    is_sorted,
    lazy_like,
    moved_to,
    numbered,
    only_row,
    pandas_types,
    rows_before,
    scope,
    settle,
    told_as_ours,
)
from commlife._engine.labels import with_labels
from commlife._engine.lives import Thresholds, coded_lives
from commlife._engine.parts import SPREAD, map_parts
from commlife._engine.repeats import mark_repeats
from commlife._engine.times import MICROSECONDS_A_DAY, add_day, add_local_microsecond, microsecond_as_datetime
from commlife._engine.windows import NONE_AFTER, NONE_BEFORE, with_neighbours, with_previous

__all__ = [
    "EAGER",
    "KINDS",
    "MICROSECONDS_A_DAY",
    "NONE_AFTER",
    "NONE_BEFORE",
    "SPREAD",
    "Thresholds",
    "add_day",
    "add_local_microsecond",
    "at_first",
    "bounded",
    "coded_lives",
    "collect",
    "collect_rows",
    "count_rows",
    "first_and_whole",
    "frame_like",
    "from_host",
    "greatest_by_key",
    "hold_lines",
    "is_eager",
    "is_sorted",
    "lazy_like",
    "map_parts",
    "mark_repeats",
    "microsecond_as_datetime",
    "moved_to",
    "numbered",
    "only_row",
    "pandas_types",
    "rows_before",
    "scope",
    "settle",
    "sums_by_cell",
    "sums_by_codes",
    "told_as_ours",
    "with_labels",
    "with_neighbours",
    "with_previous",
]
