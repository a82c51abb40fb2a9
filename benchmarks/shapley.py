"""Shapley values for explain.py: what is explained, by numen and by `shap`, and how it is timed.

KernelSHAP asks the same number of sets of the same graph on both sides, by onnxruntime: numen in
parts, as it is published; `shap` is given patches as its documentation does, by a function of
masks.
TreeSHAP reads the same trees: `shap.TreeExplainer` from the library that grew them.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SETS = 2048
# Columns, rows behind them, sets asked. Of `small` all there are.
TABLES = {"table": (20, 16, SETS), "small": (8, 16, 254)}
TREES = ("lightgbm", "xgboost", "forest", "sklearn")
Explain = Callable[[np.ndarray], np.ndarray]


def write_networks(folder: Path) -> None:
    """Writes the graphs of `kernel`, rows to ask about and rows that stand behind them."""
    import onnx

    import networks

    networks.write(folder)
    random = np.random.default_rng(0)
    np.save(folder / "mlp.npy", networks.digits("mlp", 64, random))
    np.save(folder / "mlp.behind.npy", np.zeros((1, 784), np.float32))
    for name, (columns, behind, _) in TABLES.items():
        networks.SHAPES[name] = (columns,)
        layers = [*networks.dense("x", "h", columns, 64), *networks.activated("h", "a")]
        onnx.save(
            networks.network(name, [*layers, *networks.dense("a", "z", 64, 10)]),
            folder / f"{name}.onnx",
        )
        rows = random.standard_normal((64 + behind, columns)).astype(np.float32)
        np.save(folder / f"{name}.npy", rows[:64])
        np.save(folder / f"{name}.behind.npy", rows[64:])


def groups(network: str) -> np.ndarray:
    """The player of each number: 49 patches of a digit, or each column."""
    if network != "mlp":
        return np.arange(TABLES[network][0])
    side = np.arange(28) // 4
    return (side[:, None] * 7 + side).reshape(-1)


def kernel_of_numen(folder: str, network: str) -> Explain:
    import onnx

    from numen.explain.perturb import Plan
    from numen.explain.perturb.head import parted
    from numen.runtime.perturb import PerturbRuntime

    sets = TABLES[network][2] if network in TABLES else SETS
    behind = np.load(f"{folder}/{network}.behind.npy")
    path = Path(folder) / f"{network}.kernel-shap.npz"
    path.write_bytes(Plan("kernel-shap", sets + 2, groups(network), behind).pack())
    # As a model is published.
    two = parted(onnx.load(f"{folder}/{network}.onnx"), np.load(f"{folder}/{network}.npy"))
    for part, graph in zip(("head", "tail"), two or (), strict=False):
        (Path(folder) / f"{network}.{part}.onnx").write_bytes(graph)
    runtime = PerturbRuntime()
    runtime.open(path)

    def explain(x: np.ndarray) -> np.ndarray:
        made = runtime.predict({"x": x, "target": np.full(len(x), -1)})
        return made["attribution:x"]

    return explain


def kernel_alone(folder: str, network: str) -> Explain:
    """Nothing but as many runs of the graph: faster is only who need not run all of it."""
    import networks

    sets = TABLES[network][2] if network in TABLES else SETS
    run = networks.reference(Path(folder) / f"{network}.onnx")
    behind = np.load(f"{folder}/{network}.behind.npy")
    step = min(sets, max(1, (1 << 16) // behind.size))
    made = np.repeat(behind, step, 0)

    def explain(x: np.ndarray) -> np.ndarray:
        for _ in x:
            for _ in range(-(-sets // step)):
                run(made)
        return x

    return explain


def kernel_of_shap(folder: str, network: str) -> Explain:
    import onnxruntime
    import shap

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/{network}.onnx", options)
    behind = np.load(f"{folder}/{network}.behind.npy")
    sets = TABLES[network][2] if network in TABLES else SETS
    whose = groups(network)

    def run(x: np.ndarray) -> np.ndarray:
        return session.run(None, {"x": x.astype(np.float32)})[0]

    def of_row(row: np.ndarray) -> np.ndarray:
        best = int(run(row[None])[0].argmax())
        if network != "mlp":
            explainer = shap.KernelExplainer(lambda x: run(x)[:, best], behind)
            return explainer.shap_values(row, nsamples=sets, l1_reg=False, silent=True)
        explainer = shap.KernelExplainer(
            lambda there: run(np.where(there[:, whose] > 0, row, behind))[:, best],
            np.zeros((1, 49)),
        )
        found = explainer.shap_values(np.ones(49), nsamples=sets, l1_reg=False, silent=True)
        return (found / np.bincount(whose))[whose]

    return lambda x: np.stack([of_row(row) for row in x])


def write_trees(folder: Path) -> None:
    """Grows the trees, as their libraries keep them and as graphs."""
    import joblib
    import lightgbm
    import onnx
    import xgboost
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

    from numen.core.signature import Signature, TensorSpec
    from numen.train import boosted, estimators
    from numen.train import xgboost as by_xgboost

    random = np.random.default_rng(0)
    x = random.standard_normal((4000, 12)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + x[:, 3] + 0.1 * random.standard_normal(4000)
    signature = Signature(
        (TensorSpec("x", "float32", (None, 12)),), (TensorSpec("y", "float32", (None, 1)),)
    )
    shape = {"num_leaves": 31, "verbosity": -1, "num_threads": 1}
    grown = lightgbm.train(shape, lightgbm.Dataset(x, y), 100)
    grown.save_model(folder / "lightgbm.model")
    onnx.save(boosted.convert(grown, signature), folder / "lightgbm.onnx")
    shape = {"max_leaves": 31, "max_depth": 0, "grow_policy": "lossguide", "tree_method": "hist"}
    other = xgboost.train({**shape, "nthread": 1}, xgboost.DMatrix(x, y), 100)
    other.save_model(folder / "xgboost.ubj")
    onnx.save(by_xgboost.convert(other, signature), folder / "xgboost.onnx")
    forest = RandomForestRegressor(100, max_leaf_nodes=31, random_state=0).fit(x, y)
    joblib.dump(forest, folder / "forest.trees")
    onnx.save(estimators.convert(forest, signature, None), folder / "forest.onnx")
    boosting = GradientBoostingRegressor(n_estimators=100, random_state=0).fit(x, y)
    joblib.dump(boosting, folder / "sklearn.trees")
    onnx.save(estimators.convert(boosting, signature, None), folder / "sklearn.onnx")
    for name in TREES:
        np.save(folder / f"{name}.npy", x[:1000])


def trees_of_numen(folder: str, network: str) -> Explain:
    import onnx

    from numen.explain.trees import Shapley
    from numen.explain.trees.reading import read

    rows = np.load(f"{folder}/{network}.npy")
    shapley = Shapley(read(onnx.load(f"{folder}/{network}.onnx"), rows[:16]))
    return lambda x: shapley(x)[..., 0]


def trees_of_shap(folder: str, network: str) -> Explain:
    import shap

    if network == "lightgbm":
        import lightgbm

        model = lightgbm.Booster(model_file=f"{folder}/lightgbm.model")
    elif network == "xgboost":
        import xgboost

        model = xgboost.Booster({"nthread": 1}, model_file=f"{folder}/xgboost.ubj")
    else:
        import joblib

        model = joblib.load(f"{folder}/{network}.trees")
    explainer = shap.TreeExplainer(model)
    return lambda x: explainer.shap_values(x, check_additivity=False)


SUBJECTS = {
    "kernel": {"numen": kernel_of_numen, "shap": kernel_of_shap, "alone": kernel_alone},
    "trees": {"numen": trees_of_numen, "shap": trees_of_shap},
}


def measure(section: str, who: str, folder: str, network: str, batches, seconds: float) -> None:
    """Prints explanations/s by rows, and those of a few rows, as JSON."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    explain = SUBJECTS[section][who](folder, network)
    x = np.load(f"{folder}/{network}.npy")
    rates = {}
    for rows in batches:
        times: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 3:
            begin = time.perf_counter()
            explain(x[:rows])
            times.append(time.perf_counter() - begin)
        rates[rows] = rows / statistics.median(times[1:])
    print(json.dumps({"rates": rates, "values": np.asarray(explain(x[:4])).tolist()}))
