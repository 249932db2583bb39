"""What was learned carries what was asked for: a fitted object has its spec, and a file of it too."""

from __future__ import annotations

from functools import cache

import pytest

import commlife as cl
import every_kind
from commlife._model import Spec

FITTED = [name for name in every_kind.kinds() if name.startswith("Fitted")]


@cache
def made(name):
    return every_kind.make(name, every_kind.log_of(every_kind.orders()))


@pytest.mark.parametrize("name", FITTED)
def test_a_fitted_object_carries_its_spec(name, tmp_path):
    fitted = made(name)
    assert isinstance(fitted.spec, Spec)
    if every_kind.is_folder(name):
        fitted.save(tmp_path / name)
        again = type(fitted).load(tmp_path / name)
    else:
        again = type(fitted).from_json(fitted.to_json())
    assert again.spec == fitted.spec


@pytest.mark.parametrize("name", ["FittedBehaviourTypes", "FittedRFM"])
def test_a_file_whose_spec_was_changed_into_nonsense_is_refused(name):
    text = made(name).to_json().replace('\\"seed\\": ', '\\"need\\": ').replace('\\"n_bins\\": ', '\\"no_bins\\": ')
    with pytest.raises(cl.CommlifeError, match=r"seed|need|bins"):
        type(made(name)).from_json(text)
