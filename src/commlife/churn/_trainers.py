"""XGBoost's own training on Spark and on Dask (``make test-engines`` tries it)."""

from __future__ import annotations

from typing import Any

from commlife.errors import EngineError

__all__ = ["on_dask", "on_spark"]


def on_spark(
    native: Any, names: tuple[str, ...], asked: dict[str, Any], *, rounds: int, workers: int | None
) -> tuple[Any, int]:
    """A booster of a Spark frame with the columns ``names`` and ``silent``; how many workers there were.

    Raises:
        EngineError: If the cluster cannot train.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from xgboost.core import XGBoostError
    from xgboost.spark import SparkXGBClassifier

    wanted = native.sparkSession.sparkContext.defaultParallelism if workers is None else workers
    # The objective goes with the class; the others have scikit-learn's names there.
    named = {"eta": "learning_rate", "lambda": "reg_lambda", "seed": "random_state"}
    told = {named.get(name, name): value for name, value in asked.items() if name != "objective"}
    learner = SparkXGBClassifier(
        features_col=list(names),
        label_col="silent",
        num_workers=wanted,
        n_estimators=rounds,
        missing=float("nan"),
        **told,
    )
    try:
        return learner.fit(native).get_booster(), wanted
    except (PySparkException, Py4JError, XGBoostError) as error:
        raise _not_trained("Spark", error) from error


def on_dask(native: Any, names: tuple[str, ...], asked: dict[str, Any], *, rounds: int) -> tuple[Any, int]:
    """The same of a Dask frame, by the workers of the client.

    Raises:
        EngineError: If there is no client, or it cannot train.
    """
    try:
        from distributed import get_client
    except ImportError:
        raise EngineError(
            'SilenceModel(training="distributed") on Dask needs dask.distributed: pip install "commlife[dask]".'
        ) from None
    from xgboost import dask as on_dask
    from xgboost.core import XGBoostError

    try:
        client = get_client()
    except ValueError:
        raise EngineError(
            'SilenceModel(training="distributed") on Dask needs a cluster: make a distributed.Client first.'
        ) from None
    try:
        data = on_dask.DaskDMatrix(client, native[list(names)].astype("float32"), native["silent"])
        told = on_dask.train(client, asked, data, num_boost_round=rounds)
    except XGBoostError as error:
        raise _not_trained("Dask", error) from error
    return told["booster"], len(client.scheduler_info()["workers"])


def _not_trained(engine: str, error: Exception) -> EngineError:
    first = (str(error).splitlines() or [""])[0]
    return EngineError(
        f"SilenceModel.fit: XGBoost could not learn on {engine} ({type(error).__name__}: {first:.200}). Ask for no "
        "more workers than the cluster has free slots, or leave training out and use max_users."
    )
