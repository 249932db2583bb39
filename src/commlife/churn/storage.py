"""Storage: a fitted model in a folder, as UBJ and JSON beside a manifest of checksums; never pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._files import not_written
from commlife._model import FittedOn, library_version
from commlife.churn.calibration import AffineMap
from commlife.churn.cluster import Training
from commlife.churn.holdout import Holdout
from commlife.errors import ConfigError, PersistenceError

if TYPE_CHECKING:
    from commlife.churn.fitted import FittedSilenceModel

__all__ = ["load", "save"]

#: 2: the test snapshot's users in fine bins, for lift and profit; 1 held tenths.
FORMAT = 2
MANIFEST, STATE, TREES = "manifest.json", "state.json", "trees.ubj"
_LARGEST = 1_000_000_000


def save(model: FittedSilenceModel, folder: str | Path) -> None:
    """Write every file beside the target, then put the whole folder in its place."""
    target = Path(folder)
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise PersistenceError(f"{target} stands already and holds no saved model; give a new or empty folder.")
    files = {STATE: _dump(_state(model)), TREES: model.forest.to_bytes()}
    files |= {_refit_name(k): refit.forest.to_bytes() for k, refit in enumerate(model.committee)}
    manifest = {
        "kind": "FittedSilenceModel",
        "format": FORMAT,
        "commlife": library_version(),
        "files": {name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in files.items()},
    }
    files[MANIFEST] = _dump(manifest)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            for name, raw in files.items():
                with (made / name).open("wb") as out:
                    out.write(raw)
                    out.flush()
                    os.fsync(out.fileno())
            _put(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise PersistenceError(not_written(target, error)) from None


def _put(made: Path, target: Path) -> None:
    """Replace the target in two renames; an older model stays until the new one is whole."""
    made.chmod(0o755)
    if not target.exists():
        made.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    old.rmdir()
    target.rename(old)
    made.rename(target)
    shutil.rmtree(old)


def load(folder: str | Path) -> Any:
    """Read and check every file, then put the model together."""
    source = Path(folder)
    manifest = _object(_read(source / MANIFEST))
    if manifest.get("kind") != "FittedSilenceModel" or not isinstance(manifest.get("files"), dict):
        raise PersistenceError(
            f"{source / MANIFEST} is no manifest of a FittedSilenceModel. Give the folder of save()."
        )
    seen = manifest.get("format")
    if not isinstance(seen, int) or isinstance(seen, bool) or not 1 <= seen <= FORMAT:
        raise PersistenceError(
            f"{source}: format {seen!r:.20} is not one of 1 to {FORMAT}, which this version ({library_version()}) "
            "reads. Update commlife, or save the model again."
        )
    files: dict[str, bytes] = {}
    for name, told in manifest["files"].items():
        if name not in {STATE, TREES} and not _is_refit(name):
            raise PersistenceError(
                f"{source}: the manifest names {name!r:.60}, which is no file of a model. Save the model again."
            )
        raw = _read(source / name)
        digest = told.get("sha256") if isinstance(told, dict) else None
        if hashlib.sha256(raw).hexdigest() != digest:
            raise PersistenceError(
                f"{source / name} is damaged or was changed: its checksum is not that of the manifest."
                " Save the model again."
            )
        files[name] = raw
    if STATE not in files or TREES not in files:
        raise PersistenceError(f"{source}: the manifest lacks {STATE} or {TREES}. Save the model again.")
    try:
        return _model(_object(files[STATE]), files)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, ConfigError) as error:
        raise PersistenceError(
            f"{source / STATE}: the state is damaged: {error!s:.200}. Save the model again."
        ) from None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise PersistenceError(f"{path} is larger than any saved model. Give the folder of save().")
        return path.read_bytes()
    except OSError as error:
        raise PersistenceError(f"{path} cannot be read: {error.strerror}. Give the folder that save() wrote.") from None


def _object(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or integers of endless digits
        raise PersistenceError(
            f"a saved model's JSON cannot be read: {str(error).rstrip('.')[:200]}. Save the model again."
        ) from None
    if not isinstance(told, dict):
        raise PersistenceError("a saved model's JSON holds no object. Save the model again.")
    return told


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _refit_name(number: int) -> str:
    return f"refit_{number:03d}.ubj"


def _is_refit(name: str) -> bool:
    return len(name) == 13 and name.startswith("refit_") and name.endswith(".ubj") and name[6:9].isdigit()


def _holes(values: Any) -> Any:
    """Floats with None for NaN, since JSON has none."""
    return [None if value != value else value for value in np.asarray(values, dtype=np.float64).ravel().tolist()]  # noqa: PLR0124


def _floats(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _frame(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        str(name): _holes(frame[name]) if frame[name].dtype.kind == "f" else frame[name].tolist()
        for name in frame.columns
    }


def _unframe(told: dict[str, Any]) -> pd.DataFrame:
    if not all(cell is None or isinstance(cell, (str, float, int)) for column in told.values() for cell in column):
        raise ValueError("a cell of a table is neither a number nor a text")
    holed = {name: _floats(column) if None in column else column for name, column in told.items()}
    return pd.DataFrame(holed)


def _state(model: FittedSilenceModel) -> dict[str, Any]:
    reference, evaluation = model.reference, model.evaluation_result
    return {
        "spec": json.loads(model.spec.model_dump_json()),
        "fitted_on": json.loads(model.fitted_on.model_dump_json()),
        "features": [dataclasses.asdict(feature) for feature in model.features],
        "calibration": dataclasses.asdict(model.calibration),
        "committee_scale": model.committee_scale,
        "refits": [dataclasses.asdict(refit.calibration) for refit in model.committee],
        "groups": [list(members) for members in model.groups],
        "evaluation": {
            "frame": _frame(evaluation.frame),
            "differences": _frame(evaluation.differences),
            "verdict": evaluation.verdict,
            "verdict_zh": evaluation.verdict_zh,
        },
        "reference": {
            "X": _holes(reference.X),
            "rows": len(reference.X),
            "users": reference.users,
            "community": None if reference.community is None else list(reference.community),
            "community_users": reference.community_users,
            "at_risk": reference.at_risk,
            "typical": dict(zip(reference.typical, _holes(list(reference.typical.values())), strict=True)),
        },
        "profile": model.profile,
        "test_day": model.test_day,
        "holdout": {name: _holes(getattr(model.holdout, name)) for name in ("users", "forecast", "silent", "lowest")},
        "training": None if model.training is None else dataclasses.asdict(model.training),
    }


def _affine(told: dict[str, Any]) -> AffineMap:
    """Two finite numbers and the name of their source."""
    intercept, slope = (float(told[name]) for name in ("intercept", "slope"))
    if not np.isfinite([intercept, slope]).all():
        raise ValueError("a calibration is two finite numbers")
    return AffineMap(intercept, slope, str(told["source"]))


def _training(told: dict[str, Any] | None) -> Training | None:
    """Where it learned; files from before there were clusters do not say."""
    if told is None:
        return None
    counts = [told[name] for name in ("workers", "users", "users_here")]
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError("a training counts workers and users")
    return Training(str(told["engine"]), *counts)


def _holdout(state: dict[str, Any]) -> Holdout:
    """Bins of the test snapshot; the first format held tenths alone."""
    if "holdout" in state:
        return Holdout(**{name: _floats(column) for name, column in state["holdout"].items()})
    told = _unframe(state["reliability"]).iloc[::-1]
    users, forecast = told["users"].to_numpy(dtype=np.float64), told["p_silent"].to_numpy()
    return Holdout(users, forecast, np.rint(told["silent"].to_numpy() * users), forecast)


def _model(state: dict[str, Any], files: dict[str, bytes]) -> Any:
    from commlife.churn.catalogue import Feature
    from commlife.churn.drivers import Refit
    from commlife.churn.evaluation import Evaluation
    from commlife.churn.fitted import FittedSilenceModel
    from commlife.churn.forest import Forest
    from commlife.churn.model import SilenceModel
    from commlife.churn.reference import Reference

    spec = SilenceModel.model_validate_json(json.dumps(state["spec"]))
    features = tuple(Feature(**{**told, "needs": tuple(told["needs"])}) for told in state["features"])
    names = tuple(feature.name for feature in features)
    told = state["reference"]
    X = _floats(told["X"]).reshape(told["rows"], len(names))
    evaluation = state["evaluation"]
    typical = dict(zip(told["typical"], _floats(list(told["typical"].values())).tolist(), strict=True))
    return FittedSilenceModel(
        spec=spec,
        fitted_on=FittedOn(**state["fitted_on"]),
        features=features,
        forest=Forest.from_bytes(files[TREES], names, spec.n_trees, spec.n_jobs),
        calibration=_affine(state["calibration"]),
        committee=tuple(
            Refit(Forest.from_bytes(files[_refit_name(k)], names, spec.n_trees, spec.n_jobs), _affine(line))
            for k, line in enumerate(state["refits"])
        ),
        committee_scale=float(state["committee_scale"]),
        groups=tuple(tuple(members) for members in state["groups"]),
        evaluation_result=Evaluation(
            _unframe(evaluation["frame"]),
            _unframe(evaluation["differences"]),
            str(evaluation["verdict"]),
            str(evaluation["verdict_zh"]),
        ),
        reference=Reference(
            X=X,
            users=int(told["users"]),
            community=None if told["community"] is None else tuple(told["community"]),
            community_users={str(name): int(users) for name, users in told["community_users"].items()},
            ids=None,
            at_risk=float(told["at_risk"]),
            typical=typical,
        ),
        profile=state["profile"],
        test_day=str(state["test_day"]),
        holdout=_holdout(state),
        training=_training(state.get("training")),
    )
