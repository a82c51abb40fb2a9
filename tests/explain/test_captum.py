"""Integrated gradients beside Captum's, where PyTorch and Captum are installed."""

from __future__ import annotations

import io

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from numen.explain.graph import write  # noqa: E402
from numen.explain.graph.write import NODES, NOISE, WEIGHTS  # noqa: E402

STEPS = 32
L = torch.nn


class Last(L.Module):
    """A recurrent layer's last output."""

    def __init__(self):
        super().__init__()
        self.layer = L.GRU(8, 8, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class Turn(L.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class Attention(L.Module):
    """A block of one head, written out."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (L.Linear(8, 8) for _ in range(3))
        self.norm, self.wide = (
            L.LayerNorm(8),
            L.Sequential(L.Linear(8, 16), L.GELU(), L.Linear(16, 8)),
        )

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 8**0.5
        x = self.norm(x + torch.softmax(scores, -1) @ self.v(x))
        return (x + self.wide(x)).mean(1)


def network(kind):
    torch.manual_seed(0)
    head = L.Linear(8, 3)
    pool = {"cnn-max": L.MaxPool2d(2), "cnn-average": L.AvgPool2d(2)}.get(kind)
    if kind == "mlp":
        body = [L.Linear(20, 16), L.ReLU(), L.Linear(16, 8), L.Tanh()]
    elif pool is not None:
        body = [L.Conv2d(1, 4, 3), L.ReLU(), pool, L.Conv2d(4, 8, 3, padding=1), L.ReLU(), pool,
                L.Flatten(), L.Linear(32, 8), L.ReLU()]  # fmt: skip
    else:
        words = L.Embedding(30, 8, padding_idx=0)
        rest = {
            "text-cnn": [Turn(), L.Conv1d(8, 8, 3), L.ReLU(), L.AdaptiveMaxPool1d(1), L.Flatten()],
            "gru": [Last()],
            "transformer": [Attention()],
        }[kind]
        body = [words, *rest]
    return L.Sequential(*body, head, L.Softmax(-1)).eval()


def exported(model, x):
    target = io.BytesIO()
    rows = torch.export.Dim("rows", min=2, max=1000)
    torch.onnx.export(
        model, (x,), target, input_names=["x"], output_names=["y"], dynamic_shapes=({0: rows},),
        opset_version=18, verbose=False,
    )  # fmt: skip
    return onnx.load_from_string(target.getvalue())


@pytest.mark.parametrize(
    "kind", ["mlp", "cnn-max", "cnn-average", "text-cnn", "gru", "transformer"]
)
def test_integrated_gradients_are_captums(kind):
    model = network(kind)
    random = np.random.default_rng(0)
    shape = {"mlp": (4, 20), "cnn-max": (4, 1, 10, 10), "cnn-average": (4, 1, 10, 10)}.get(
        kind, (4, 9)
    )
    texts = kind in ("text-cnn", "gru", "transformer")
    x = random.integers(1, 30, shape) if texts else random.normal(size=shape).astype(np.float32)
    given = torch.tensor(x)
    how = {"target": 1, "n_steps": STEPS, "method": "gausslegendre"}
    if texts:
        layer = captum.LayerIntegratedGradients(model, model[0])
        expected = layer.attribute(given, baselines=torch.zeros_like(given), **how).sum(-1)
    else:
        expected = captum.IntegratedGradients(model).attribute(given, **how)
    made = write(exported(model, given))
    session = onnxruntime.InferenceSession(made.model.SerializeToString())
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    feeds = {
        "x": x, "target": np.full(4, 1), NODES: ((nodes + 1) / 2).astype(np.float32),
        WEIGHTS: (weights / 2).astype(np.float32),
    }  # fmt: skip
    for each in session.get_inputs():
        if each.name.startswith((NOISE, "baseline:")):
            size = [n if isinstance(n, int) else 1 for n in each.shape]
            feeds[each.name] = np.zeros(size, np.float32)
    (found,) = session.run(["integrated-gradients:x"], feeds)
    expected = expected.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))
