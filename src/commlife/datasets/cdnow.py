"""CDNOW: the purchases of a cohort of 23,570 customers of an online shop (Fader & Hardie), from a file of yours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["load_cdnow"]

_MASTER = ("customer_id", "date", "quantity", "amount")
_SAMPLE = ("master_id", *_MASTER)


def load_cdnow(path: str | Path) -> OrderLog:
    """CDNOW_master.txt or CDNOW_sample.txt, as Fader & Hardie publish them, as an order log.

    Each row is a purchase: customer, day, number of CDs, dollars. Everybody's first purchase lies in the first quarter
    of 1997, so that nobody's life began before the log.

    Args:
        path: The text file: columns parted by blanks, with or without a header, days as ``19970101``. The sample has a
            further first column, the customer's number in the master file.

    Returns:
        A log without order numbers: each row is an order. Days are those of New York.

    Raises:
        ConfigError: If there is no such file, or it has another number of columns.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"load_cdnow: there is no file {str(path)!r}. CDNOW_master.txt and CDNOW_sample.txt are on Bruce Hardie's "
            "pages and in the package lifetimes (lifetimes/datasets)."
            " Name the file where it lies."
        )
    from commlife.orders import OrderLog

    try:
        rows = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, encoding_errors="replace")
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        rows = pd.DataFrame()
    if rows.shape[1] not in (len(_MASTER), len(_SAMPLE)):
        raise ConfigError(
            f"load_cdnow: {path.name} has {rows.shape[1]} columns; CDNOW_master.txt has {len(_MASTER)} "
            f"({', '.join(_MASTER)}), CDNOW_sample.txt one more in front."
            " Use one of these files as it came."
        )
    if not str(rows.iat[0, -1]).replace(".", "", 1).isdigit():  # a header, as in the copy of lifetimes
        rows = rows.iloc[1:]
    rows.columns = list(_MASTER if rows.shape[1] == len(_MASTER) else _SAMPLE)
    frame = pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "date": pd.to_datetime(rows["date"], format="%Y%m%d", errors="coerce"),
            "quantity": pd.to_numeric(rows["quantity"], errors="coerce"),
            "amount": pd.to_numeric(rows["amount"], errors="coerce"),
        }
    )
    return OrderLog.from_frame(
        frame,
        user_id="customer_id",
        ordered_at="date",
        amount="amount",
        quantity="quantity",
        timezone="America/New_York",
    )
