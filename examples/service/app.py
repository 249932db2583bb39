"""A small service over fitted objects: scores of one user, why she may fall silent, what to offer beside a basket.

Fit once (``python fit.py``), serve what was fitted::

    python fit.py models
    MODELS=models uvicorn app:app
"""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import commlife as cl


class Purchases(BaseModel):
    """What the shop knows of one user."""

    recency_days: float = Field(ge=0)
    frequency: float = Field(ge=1)
    monetary: float


class Features(BaseModel):
    """The features of the silence model, by name; see ``GET /features``."""

    features: dict[str, float | None]
    lang: str = "en"


class Basket(BaseModel):
    """What lies in the basket."""

    items: list[str] = Field(min_length=1, max_length=200)
    k: int = Field(default=5, ge=1, le=50)


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Everything is read once; fitted objects are frozen, so that all threads share them."""
    folder = Path(os.environ.get("MODELS", "models"))
    app.state.rfm = cl.FittedRFM.from_json((folder / "rfm.json").read_text(encoding="utf-8"))
    app.state.silence = cl.FittedSilenceModel.load(folder / "silence")
    baskets = json.loads((folder / "baskets.json").read_text(encoding="utf-8"))
    app.state.rules = cl.association_rules(cl.frequent_itemsets(baskets, min_count=10), min_confidence=0.05)
    yield


app = FastAPI(title="commlife", lifespan=lifespan)


@app.exception_handler(cl.ConfigError)
def refuse(request: Request, error: cl.ConfigError) -> JSONResponse:
    """The library's own words: the value, the rule, the fix."""
    del request
    return JSONResponse(status_code=422, content={"detail": str(error)})


@app.get("/health")
def health() -> dict[str, Any]:
    """What is loaded."""
    return {"rfm": repr(app.state.rfm), "silence": app.state.silence.verdict}


@app.get("/features")
def features() -> list[str]:
    """Names of the features that ``POST /silence`` wants."""
    return list(app.state.silence.forest.names)


@app.post("/rfm")
def rfm(user: Purchases) -> dict[str, Any]:
    """Scores and segment of one user."""
    score = app.state.rfm.score(**user.model_dump())
    return {"code": score.rfm_code, "segment": score.segment, "next_action": score.next_action}


@app.post("/silence")
def silence(user: Features) -> dict[str, Any]:
    """Risk of silence of one user, with the three reasons that weigh most."""
    told = app.state.silence.explain_one(user.features, lang=user.lang)
    reasons = zip(told.drivers[:3], told.contributions[:3], told.sentences[:3], strict=True)
    return {
        "p_silent": told.p_silent,
        "reasons": [{"driver": name, "contribution": points, "sentence": text} for name, points, text in reasons],
    }


@app.post("/offer")
def offer(basket: Basket) -> list[dict[str, Any]]:
    """What to offer beside a basket."""
    table = cl.cross_sell(app.state.rules, basket.items, k=basket.k)
    if table.empty:
        raise HTTPException(status_code=404, detail="no rule knows these items")
    return table[["item", "confidence", "lift"]].to_dict("records")
