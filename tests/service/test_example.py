"""The example of a service: it starts from what was fitted, answers each question, and refuses in the library's words."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import commlife as cl

with warnings.catch_warnings():
    # What the web framework says of its own parts is not ours to mend.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

HERE = Path(__file__).resolve().parents[2] / "examples" / "service"


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"service_{name}", HERE / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # FastAPI looks its models up by the name of their module
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        module("fit").fit(folder, n_users=300)
    return folder


@pytest.fixture(scope="module")
def client(models: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS", str(models))
        with TestClient(module("app").app) as client:
            yield client


def test_it_tells_what_it_serves(client) -> None:
    told = client.get("/health").json()
    assert told["rfm"].startswith("FittedRFM(")
    assert told["silence"]


def test_scores_are_those_of_the_library(client, models) -> None:
    rfm = cl.FittedRFM.from_json((models / "rfm.json").read_text(encoding="utf-8"))
    for user in (
        {"recency_days": 3, "frequency": 7, "monetary": 120.0},
        {"recency_days": 90, "frequency": 1, "monetary": 0},
    ):
        score = rfm.score(**user)
        assert client.post("/rfm", json=user).json() == {
            "code": score.rfm_code, "segment": score.segment, "next_action": score.next_action,
        }  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_reasons_are_those_of_the_library(client, models, lang) -> None:
    model = cl.FittedSilenceModel.load(models / "silence")
    names = client.get("/features").json()
    assert names == list(model.forest.names)
    features = {name: (None if k % 3 == 0 else float(k)) for k, name in enumerate(names)}
    answer = client.post("/silence", json={"features": features, "lang": lang}).json()
    told = model.explain_one(features, lang=lang)
    assert answer["p_silent"] == told.p_silent
    assert [reason["sentence"] for reason in answer["reasons"]] == list(told.sentences[:3])


def test_offers_are_those_of_the_rules_and_an_unknown_basket_has_none(client) -> None:
    offers = client.post("/offer", json={"items": ["fruit"], "k": 2}).json()
    assert 0 < len(offers) <= 2
    assert set(offers[0]) == {"item", "confidence", "lift"}
    assert client.post("/offer", json={"items": ["no such thing"]}).status_code == 404


def test_what_is_wrong_is_refused_in_the_library_s_words(client) -> None:
    refused = client.post("/silence", json={"features": {"no_such_feature": 1.0}})
    assert refused.status_code == 422
    assert "no_such_feature" in refused.json()["detail"]
    assert client.post("/rfm", json={"recency_days": -1, "frequency": 1, "monetary": 1}).status_code == 422
    assert client.post("/offer", json={"items": []}).status_code == 422


def test_eight_clients_at_once_get_what_one_gets(client) -> None:
    bodies = [{"recency_days": day, "frequency": 1 + day % 4, "monetary": 2.5 * day} for day in range(40)]
    alone = [client.post("/rfm", json=body).json() for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: client.post("/rfm", json=body).json(), bodies)) == alone
