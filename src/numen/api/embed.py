"""What a network decides by, of the rows of a split."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from numen.api.model import Model
from numen.api.trial import opened
from numen.core.signature import Array
from numen.data.split import Split
from numen.train.embedding import EMBEDDING, with_embedding

_ROWS: Final = 1_024


def embed(model: Model, rows: Split) -> Array | None:
    """The input of the model's last layer, float32[rows, width]; None where it is no network.

    Args:
        model: The model; its exact variant is asked.
        rows: As the model would have coded them.

    Raises:
        InvalidInput: The rows are not what the model takes.
    """
    exact = model.manifest.variants[0]
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "embedding.onnx"
        if exact.runtime != "onnx" or not with_embedding(model.bundle.file(exact.file), graph):
            return None
        with opened(graph) as runtime:
            made = [runtime.predict(model.given(b))[EMBEDDING] for b in rows.batches(_ROWS)]
    return np.concatenate(made) if made else None
