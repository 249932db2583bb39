"""The weekly page: one self-contained HTML file that an operator pins to the wall."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commlife._files import file_to_write, write_whole
from commlife._model import library_version
from commlife._text import Language, check_language
from commlife.errors import EngineError
from commlife.orders.calendar import Timestamp, day_text
from commlife.orders.log import need_log
from commlife.report import users as user_rows
from commlife.report._layout import Page, Table
from commlife.report._models import Models, fit_missing
from commlife.report._sections import sections
from commlife.report.csv import to_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from commlife.churn import FittedSilenceModel
    from commlife.coupons import Coupon, Policy
    from commlife.orders import OrderLog
    from commlife.segments import FittedLifecycle, FittedRFM

__all__ = ["WeeklyReport", "make_page", "weekly_report"]


@dataclass(frozen=True, slots=True, repr=False)
class WeeklyReport:
    """A page that was written.

    Attributes:
        path: Where it lies.
        users: The user table behind it, as pandas.
        notes: What was fitted for it and what could not be.
    """

    path: Path
    users: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"WeeklyReport({self.path}, {len(self.users):,} users)"


def weekly_report(
    log: OrderLog,
    *,
    as_of: Timestamp,
    path: str | Path = "report.html",
    lang: Language = "en",
    mask_users: bool = True,
    rfm: FittedRFM | None = None,
    lifecycle: FittedLifecycle | None = None,
    silence: FittedSilenceModel | None = None,
    offers: Policy | Sequence[Coupon] | None = None,
    budget: float | None = None,
) -> WeeklyReport:
    """Write the weekly page: numbers, lifecycle, retention, alarms, segments, calls, drivers, rules, coupons.

    The page is one file without external requests; each table can be taken as CSV. It says of each figure whether it
    counts the whole log or the cleaned one.

    Args:
        log: The order log, best a cleaned one (``log.clean(...)``).
        as_of: The local business day before whose midnight everything counts; the week is the seven days before.
        path: Where to write; the folder must exist.
        lang: ``"en"`` or ``"zh"``.
        mask_users: Show ``138****78`` instead of whole ids, in the CSV too.
        rfm: As for :func:`~commlife.user_table`.
        lifecycle: As there.
        silence: As there.
        offers: As there.
        budget: As there.

    Raises:
        ConfigError: If the folder does not exist, or an argument has a value that is not allowed.
        PersistenceError: If the page cannot be written (a full disk, a folder that is read-only).
        EngineError: If the extra ``report`` is not installed.
        InsufficientDataError: If nobody has an order that counts before ``as_of``.
    """
    need_log(log, "weekly_report")
    language = check_language(lang)
    target = file_to_write(path)
    models = fit_missing(log, as_of=as_of, rfm=rfm, lifecycle=lifecycle, silence=silence, offers=offers, lang=language)
    users, html = make_page(log, models, budget=budget, lang=language, mask_users=mask_users)
    write_whole(target, html.encode("utf-8"))
    return WeeklyReport(target, users, models.notes)


def make_page(
    log: OrderLog,
    models: Models,
    *,
    budget: float | None,
    lang: Language,
    mask_users: bool,
    progress: Callable[[str], None] | None = None,
) -> tuple[pd.DataFrame, str]:
    """The user table, and the page as HTML."""
    tell = progress or _quiet
    tell("user table")
    users, plan = user_rows.build(log, models, budget=budget, lang=lang)
    tell("page")
    page = Page(log=log, models=models, users=users, plan=plan, budget=budget, lang=lang, mask_users=mask_users)
    return users, _render(page)


def _quiet(step: str) -> None:
    """Tell nobody."""


def _render(page: Page) -> str:
    try:
        import jinja2
    except ImportError:
        raise EngineError('The weekly page needs Jinja2: pip install "commlife[report]".') from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("commlife.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    last = day_text(page.models.as_of - 1)
    return environment.get_template("weekly.html.j2").render(
        lang="zh-CN" if page.lang == "zh" else "en",
        words=page.words,
        subtitle=page.words["subtitle"].format(last=last, as_of=page.today),
        made=page.words["made"].format(version=library_version()),
        sections=sections(page),
        csv_link=_csv_link,
    )


def _csv_link(table: Table) -> str:
    """The whole table inside the link, so that the page needs no other file."""
    return "data:text/csv;charset=utf-8;base64," + b64encode(to_csv(table.full).encode("utf-8-sig")).decode("ascii")
