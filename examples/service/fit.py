"""Fit what the service serves, on a synthetic community: the nightly half of ``app.py``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import commlife as cl


def fit(folder: Path, *, n_users: int = 1_000) -> None:
    """Write the fitted objects into a folder."""
    warnings.simplefilter("ignore", cl.CommlifeWarning)
    folder.mkdir(parents=True, exist_ok=True)
    community = cl.datasets.make_community(n_users=n_users, seed=1)
    log, as_of = community.log, community.as_of
    (folder / "rfm.json").write_text(cl.RFM().fit(log, as_of=as_of).to_json(), encoding="utf-8")
    cl.SilenceModel().fit(log, as_of=as_of).save(folder / "silence")
    lines = community.frame.query("amount > 0")
    baskets = [sorted(set(items)) for items in lines.groupby("order_id")["category"].agg(list)]
    (folder / "baskets.json").write_text(json.dumps(baskets), encoding="utf-8")


if __name__ == "__main__":
    fit(Path(sys.argv[1] if len(sys.argv) > 1 else "models"))
