"""The only module that imports XGBoost: boosted trees over features, as margins, kept in XGBoost's own format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from models.fingerprint.window import Floats


class ArtifactError(ValueError):
    """An artifact that must not be used: broken, changed, or of another format. The message says which and the mend."""


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """Few fixed values; no search was made, and single changes of them move accuracy by less than 0.01."""

    rounds: int = 250
    depth: int = 4
    learning_rate: float = 0.08
    rows_share: float = 0.8
    columns_share: float = 0.4
    min_child_weight: float = 2.0
    l2: float = 2.0
    bins: int = 64
    seed: int = 0
    threads: int = 1
    """XGBoost's threads spin while they wait: on a machine that does other work two are many times slower than one."""


class Trees:
    """One tree per class and round. The margin of a class is the sum of the leaves that a window falls into."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    @classmethod
    def train(cls, rows: Floats, labels: NDArray[np.intp], classes: int, chosen: TreeSettings) -> Trees:
        """rows [n, features] with NaN where missing; labels [n] in 0..classes-1; at least two classes."""
        parameters = {
            "objective": "multi:softprob",
            "num_class": classes,
            "max_depth": chosen.depth,
            "eta": chosen.learning_rate,
            "subsample": chosen.rows_share,
            "colsample_bytree": chosen.columns_share,
            "min_child_weight": chosen.min_child_weight,
            "reg_lambda": chosen.l2,
            "max_bin": chosen.bins,
            "tree_method": "hist",
            "nthread": chosen.threads,
            "seed": chosen.seed,
        }
        return cls(xgboost.train(parameters, xgboost.DMatrix(rows, labels, nthread=chosen.threads), chosen.rounds))

    def margins(self, rows: Floats) -> NDArray[np.float32]:
        """[n, classes]. Raises ValueError when the number of features is not that of training."""
        width = int(self._booster.num_features())
        if rows.shape[1] != width:
            raise ValueError(f"rows have {rows.shape[1]} features; the trees were trained on {width}: train again")
        margins = self._booster.inplace_predict(rows.astype(np.float32), predict_type="margin")
        return np.asarray(margins, np.float32).reshape(len(rows), -1)

    def leaves(self, rows: Floats) -> NDArray[np.uint8]:
        """[n, trees]: the leaf of each tree, as the index of its node; 255 stands for any above (depth 7 and more)."""
        found = self._booster.predict(xgboost.DMatrix(rows, nthread=1), pred_leaf=True, strict_shape=True)
        return np.asarray(np.minimum(found.reshape(len(rows), -1), 255), dtype=np.uint8)

    def dump(self) -> bytes:
        """XGBoost's binary JSON (UBJ)."""
        return bytes(self._booster.save_raw("ubj"))

    @classmethod
    def load(cls, body: bytes) -> Trees:
        """Raises ArtifactError when XGBoost cannot read it."""
        try:
            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(bytearray(body))
        except xgboost.core.XGBoostError as error:
            raise ArtifactError(f"the trees cannot be read: {str(error).splitlines()[0]}; train again") from error
        return cls(booster)
