"""The weekly page as plain data: sections, tiles, tables and cells that a template lays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from commlife._masks import mask
from commlife._text import Language, label
from commlife.orders.calendar import day_text
from commlife.report._format import integer
from commlife.report._models import Models
from commlife.report._words import words

if TYPE_CHECKING:
    from commlife.coupons import CouponPlan
    from commlife.orders import OrderLog

__all__ = ["Cell", "Page", "Section", "Table", "Tile", "Write", "date", "make_table", "of", "text"]

#: Names of things, whatever type a host gives them: written at the left, like words.
_NAMES = frozenset({"user_id", "community", "category", "channel", "coupon_id", "item_id"})
#: A cell of so many letters is a sentence: its column keeps a width that can be read, and the table scrolls.
_SENTENCE = 24


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and how it looks."""

    text: str
    background: str = ""
    colour: str = ""
    bar: float | None = None
    low: float | None = None


@dataclass(frozen=True)
class Table:
    """A table to look at, and the whole of it to take away; without a caption it is called as its section is."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]
    full: pd.DataFrame
    name: str
    caption: str = ""

    @property
    def looks(self) -> tuple[str, ...]:
        """How each column is laid out: numbers under numbers, room for sentences."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        wide = [any(len(cell.text) > _SENTENCE for cell in column) for column in columns]
        return tuple("n" if number else "wide" if room else "" for number, room in zip(self.numeric, wide, strict=True))


@dataclass(frozen=True)
class Tile:
    """One number of the week."""

    name: str
    value: str
    before: str
    change: str
    tone: str
    spark: str


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, what it counts, and what it shows."""

    key: str
    title: str
    lead: str
    counted: str
    tiles: tuple[Tile, ...] = ()
    figure: str = ""
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What every section is made from."""

    log: OrderLog
    models: Models
    users: pd.DataFrame
    plan: CouponPlan
    budget: float | None
    lang: Language
    mask_users: bool
    words: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", words(self.lang))

    @property
    def today(self) -> str:
        """The day of the page."""
        return day_text(self.models.as_of)

    def name(self, column: str) -> str:
        """The label of a column."""
        return label(column, self.lang)

    def user(self, value: object) -> str:
        """A user as the page shows her."""
        return mask(value) if self.mask_users else str(value)

    def taken_away(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table for the CSV, masked as the page is."""
        if self.mask_users and "user_id" in table.columns:
            return table.assign(user_id=table["user_id"].map(mask))
        return table


#: Rows of a table's CSV inside the page: a page of hundreds of megabytes opens nowhere.
MOST_TAKEN_AWAY = 20_000
#: How a value is written into a cell.
Write = Callable[[Any], Cell]


def make_table(page: Page, full: pd.DataFrame, name: str, shown: dict[str, Write], *, top: int) -> Table:
    """The first rows of a frame, each column by its own way of writing."""
    head = full.head(top)
    rows = tuple(
        tuple(write(value) for write, value in zip(shown.values(), row, strict=True))
        for row in head[list(shown)].itertuples(index=False, name=None)
    )
    numeric = tuple(column not in _NAMES and pd.api.types.is_numeric_dtype(full[column].dtype) for column in shown)
    taken = page.taken_away(full.head(MOST_TAKEN_AWAY))
    cut = page.words["cut"].format(held=integer(len(taken)), all=integer(len(full))) if len(taken) < len(full) else ""
    return Table(tuple(page.name(column) for column in shown), rows, numeric, taken, name, caption=cut)


def text(value: Any) -> Cell:
    if isinstance(value, (list, tuple)):
        value = " + ".join(str(each) for each in value)
    return Cell("" if value is None or value is pd.NA or value != value else str(value))  # noqa: PLR0124  (NaN)


def of(write: Callable[[Any], str]) -> Write:
    return lambda value: Cell(write(value))


def date(value: Any) -> Cell:
    return Cell("" if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}")
