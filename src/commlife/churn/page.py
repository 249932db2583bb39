"""Page: the drivers of silence on one sheet, for somebody who has five minutes and a team to direct."""

from __future__ import annotations

import io
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.colours import ACCENT, BAD, INK, QUIET
from commlife._model import library_version
from commlife.churn.figures import draw_ranks
from commlife.errors import EngineError, ModelWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes

    from commlife.churn.fitted import FittedSilenceModel

__all__ = ["driver_page"]

#: Drivers on the sheet: what fits on one page, and what one meeting can talk about.
_SHOWN = 8
_STYLE = """
:root { --ink: #1f2933; --quiet: #616e7c; --line: #d9e2ec; --soft: #f5f7fa; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 14px/1.45 system-ui, -apple-system, "Segoe UI",
  "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px; }
header { border-bottom: 3px solid var(--ink); padding-bottom: 10px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
header p, .lead, footer { color: var(--quiet); margin: 3px 0 0; }
h2 { font-size: 17px; margin: 18px 0 2px; }
.verdict { border-left: 4px solid var(--accent); background: var(--soft); padding: 8px 12px; margin: 12px 0 0; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin: 12px 0 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; break-inside: avoid; }
.tile b { display: block; font-size: 23px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: 12.5px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin-top: 6px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--ink); padding: 4px 8px; }
td, tbody th { border-bottom: 1px solid var(--line); padding: 4px 8px; vertical-align: middle; }
tbody th { font-weight: 400; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th.n, td.n { text-align: right; white-space: nowrap; }
td.bar { width: 190px; min-width: 150px; } td.bar svg { display: block; width: 100%; height: 20px; }
.kind { color: var(--quiet); font-size: 12px; }
.figures { display: grid; grid-template-columns: 1.08fr 1fr; gap: 14px; align-items: start; }
.figures svg { width: 100%; height: auto; display: block; }
figure svg text { font-family: inherit !important; }
figure { margin: 6px 0 0; break-inside: avoid; min-width: 0; }
ul { margin: 4px 0 0; padding-left: 18px; } li { margin: 2px 0; }
footer { margin-top: 16px; border-top: 1px solid var(--line); padding-top: 6px; font-size: 12px; }
@media (max-width: 640px) { main { padding: 16px 14px 32px; } h1 { font-size: 22px; }
  .tiles { grid-template-columns: 1fr 1fr; } .figures { grid-template-columns: 1fr; }
  table, thead, tbody { display: block; } td, th, tbody th { border: 0; padding: 2px 4px; }
  th.n { white-space: normal; }
  tr { display: grid; grid-template-columns: 2.8em 1fr 4em 6em; align-items: center; padding: 4px 0;
    border-bottom: 1px solid var(--line); } thead tr { align-items: end; border-bottom: 2px solid var(--ink); }
  tr > :first-child { grid-column: 1 / -1; } thead tr > :nth-child(5) { display: none; }
  thead tr > :last-child { grid-column: 3 / -1; } td.bar { width: auto; min-width: 0; } tr > .wide { display: none; } }
@media print { @page { size: A4; margin: 11mm; } body { font-size: 10.5px; } main { max-width: none; padding: 0; }
  h1 { font-size: 19px; } h2 { font-size: 13px; margin-top: 8px; } table { font-size: 10px; margin-top: 3px; }
  .scroll { overflow: visible; } td, th { padding: 1.5px 6px; } .tile b { font-size: 16px; }
  .tile { padding: 4px 9px; } .tile span { font-size: 10px; } .figures { gap: 8px; } .figures svg { max-height: 86mm; }
  .verdict { margin-top: 7px; padding: 4px 9px; } ul { margin: 2px 0 0; } footer { margin-top: 8px; }
  td.bar svg { height: 16px; } .kind { font-size: 9px; } tr { break-inside: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("What goes together with falling silent", "哪些特征与用户沉默相关"),
    "subtitle": (
        "No order in the {days} days from {as_of}; {users} users active within {active} days; learned from {rows} "
        "user-snapshots.",
        "自 {as_of} 起 {days} 天内无订单；{active} 天内活跃的 {users} 名用户；基于 {rows} 条用户快照学习。",
    ),
    "active": ("active users", "活跃用户"),
    "at_risk": ("at risk: a probability of {p} or more", "高风险：概率不低于 {p}"),
    "found": (
        "of those who fell silent were in the riskiest fifth at {day}",
        "沉默用户落在风险最高的五分之一（{day}）",
    ),
    "auc": (
        "ROC-AUC at {day} [{low}, {high}]; best baseline {base}",
        "ROC-AUC（{day}）[{low}，{high}]；最佳基线 {base}",
    ),
    "drivers": ("The drivers, strongest first", "主要特征（由强到弱）"),
    "drivers_lead": (
        "Effect: change of the probability of silence from users low in it to users high in it, in points; the line is "
        "its 95% interval. Drivers of one tier cannot be told apart.",
        "效应：特征由低到高时沉默概率的变化（百分点），横线为95%区间；同一层级的特征无法区分先后。",
    ),
    "driver": ("Driver", "特征"),
    "tier": ("Tier", "层级"),
    "effect": ("Effect, points", "效应（百分点）"),
    "drawn": ("Effect, drawn", "效应（图示）"),
    "users_as_dots": (
        "Contribution of each driver, a dot a user: {names}",
        "各特征对每名用户的贡献，每点一名用户：{names}",
    ),
    "effects_in_order": ("Effects in order with their 95% intervals: {names}", "效应排序与 95% 区间：{names}"),
    "range": ("From … to", "取值范围"),
    "pushed": ("Users at risk pushed up", "被推高的高风险用户"),
    "state": ("state", "状态"),
    "lever": ("lever", "可调手段"),
    "context": ("context", "背景"),
    "do": ("What to do with it", "如何使用"),
    "do_1": (
        "Call first whom it is worth keeping: the reasons of each user at risk are in reasons(), in the same words.",
        "先联系值得挽留的用户；每名高风险用户的原因见 reasons()，用词相同。",
    ),
    "do_2": (
        "A lever that stands high is a candidate for a trial. Try it on a part of the users, dealt at random, before "
        "money depends on it.",
        "排名靠前的可调手段值得做试验：先对随机分出的一部分用户尝试，再投入预算。",
    ),
    "do_3": (
        "A state only says how things stand: changing the number does not change the user.",
        "状态类特征只反映现状，改变数字并不会改变用户。",
    ),
    "not": (
        "All of this is association: users who get coupons differ from those who do not in more than coupons.",
        "以上均为相关，不是因果：有券与无券用户的差异不止于券。",
    ),
    "made": ("Made with commlife {version}.", "由 commlife {version} 生成。"),
}


def driver_page(model: FittedSilenceModel, *, lang: str) -> str:
    """The sheet as one self-contained HTML text."""
    at = 1 if lang == "zh" else 0
    words = {name: pair[at] for name, pair in _WORDS.items()}
    table = model.drivers(lang=lang)
    groups = table[table["level"] == "group"].head(_SHOWN)
    names = ("；" if at else "; ").join(
        f"{label!s} {100 * effect:+.1f}" for label, effect in zip(groups["label"], groups["effect_pp"], strict=True)
    )
    dots, order = (words[name].format(names=names) for name in ("users_as_dots", "effects_in_order"))
    parts = [
        _header(model, words),
        f'<p class="verdict">{escape(model.verdict_zh if at else model.verdict)}</p>',
        _tiles(model, words),
        f"<h2>{escape(words['drivers'])}</h2>",
        f'<p class="lead">{escape(words["drivers_lead"])}</p>',
        _driver_rows(model, groups, words),
        '<div class="figures">',
        _figure("beeswarm", dots, lambda: model.plot.beeswarm(top=_SHOWN, lang=lang)),
        _figure(
            "ranks",
            order,
            lambda: draw_ranks(table, top=_SHOWN, lang=lang, ax=None),
        ),
        "</div>",
        f"<h2>{escape(words['do'])}</h2>",
        "<ul>" + "".join(f"<li>{escape(words[name])}</li>" for name in ("do_1", "do_2", "do_3", "not")) + "</ul>",
        f"<footer>{escape(words['made'].format(version=library_version()))}</footer>",
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if at else "en"}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(words['title'])} · {model.fitted_on.as_of}</title>\n<style>{_STYLE}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def _header(model: FittedSilenceModel, words: dict[str, str]) -> str:
    told = words["subtitle"].format(
        days=model.spec.horizon.days,
        as_of=model.fitted_on.as_of,
        users=f"{model.reference.users:,}",
        active=model.spec.active_within.days,
        rows=f"{model.fitted_on.rows:,}",
    )
    return f"<header><h1>{escape(words['title'])}</h1><p>{escape(told)}</p></header>"


def _tiles(model: FittedSilenceModel, words: dict[str, str]) -> str:
    scores = model.evaluation[model.evaluation["metric"] == "roc_auc"].set_index("model")
    own, others = scores.iloc[0], scores.iloc[1:]
    lift = model.lift()
    found = float(np.interp(0.2, lift["share"], lift["found"]))
    p = model.calibration.probability(model.forest.margin(model.reference.X))
    at_risk = model.reference.users * float((p >= model.reference.at_risk).mean())
    tiles = [
        (f"{model.reference.users:,}", words["active"]),
        (f"{at_risk:,.0f}", words["at_risk"].format(p=f"{model.reference.at_risk:.0%}")),
        (f"{found:.0%}", words["found"].format(day=model.test_day)),
        (
            f"{own['value']:.3f}",
            words["auc"].format(
                day=model.test_day,
                low=f"{own['low']:.3f}",
                high=f"{own['high']:.3f}",
                base=f"{others['value'].max():.3f}",
            ),
        ),
    ]
    inner = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for value, name in tiles
    )
    return f'<div class="tiles">{inner}</div>'


def _driver_rows(model: FittedSilenceModel, groups: pd.DataFrame, words: dict[str, str]) -> str:
    column = {name: place for place, name in enumerate(model.forest.names)}
    low, high = np.nanquantile(model.reference.X, [0.1, 0.9], axis=0, method="inverted_cdf")
    units = {feature.name: feature.unit for feature in model.features}
    ends = groups[["effect_pp", "effect_low", "effect_high"]].to_numpy(dtype=float)
    reach = float(np.nanmax(np.abs(ends))) or 1.0
    rows = []
    for number, row in enumerate(groups.to_dict("records")):
        place = column[row["driver"]]
        unit = "" if words["driver"] != "Driver" else f" {units[row['driver']]}"
        about = escape(f"{words[row['kind']]}")
        rows.append(
            f"<tr><th scope='row'>{escape(str(row['label']))} <span class='kind'>{about}</span></th>"
            f"<td class='n'>{row['tier']}</td>"
            f"<td class='n wide'>{low[place]:.3g} … {high[place]:.3g}{escape(unit)}</td>"
            f"<td class='bar'>{_bar(*ends[number].tolist(), reach=reach)}</td>"
            f"<td class='n'>{100 * row['effect_pp']:+.1f}</td>"
            f"<td class='n'>{row['users_pushed_up']:,}</td></tr>"
        )
    right = " class='n'"
    heads = [
        ("driver", ""),
        ("tier", right),
        ("range", " class='n wide'"),
        ("drawn", " class='bar'"),
        ("effect", right),
        ("pushed", right),
    ]
    head = "".join(f"<th scope='col'{style}>{escape(words[name])}</th>" for name, style in heads)
    called = escape(words["drivers"])
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{called}"><table><caption>{called}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _bar(effect: float, low: float, high: float, *, reach: float) -> str:
    """An effect with its interval on a line through 0: a triangle up or down says the sign in any print."""

    def at(value: float) -> float:
        return 95 + 88 * float(np.clip(value / reach, -1, 1))

    x, colour = at(effect), BAD if effect > 0 else ACCENT
    line = ""
    if np.isfinite(low) and np.isfinite(high):
        line = f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="10" y2="10" stroke="{INK}" stroke-width="1.6"/>'
    points = f"{x - 5:.1f},14 {x + 5:.1f},14 {x:.1f},5" if effect > 0 else f"{x - 5:.1f},6 {x + 5:.1f},6 {x:.1f},15"
    return (
        f'<svg viewBox="0 0 190 20" role="img" aria-label="{100 * effect:+.1f}" preserveAspectRatio="none">'
        f'<line x1="95" x2="95" y1="0" y2="20" stroke="{QUIET}" stroke-width="1"/>{line}'
        f'<polygon points="{points}" fill="{colour}"/></svg>'
    )


def _figure(name: str, title: str, draw: Callable[[], Axes]) -> str:
    """A figure as SVG inside the page, its letters in the reader's own font."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise EngineError('The driver page needs matplotlib: pip install "commlife[report]".') from None
    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # The reader's browser has the letters, whatever fonts this machine lacks.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        warnings.filterwarnings("ignore", message="this machine has no font", category=ModelWarning)
        figure: Any = draw().figure
        figure.savefig(text, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return f"<figure>{drawn}</figure>"
