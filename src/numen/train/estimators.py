"""scikit-learn's estimators as ONNX.

Forests are converted from their own arrays, tree by tree; everything else by skl2onnx. Pictures
are flattened inside the graph.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Final

import numpy as np
import onnx

from numen.core.errors import ExportFailed
from numen.core.signature import Signature
from numen.train.ensemble import OPSET, OPSET_ML, Ensemble, round_down
from numen.train.vectorizers import convert_vectorizer, steps_of_text, takes

_FOREST: Final = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)
_BOOSTED: Final = ("GradientBoostingClassifier", "GradientBoostingRegressor")


def convert(model: Any, signature: Signature, columns: Any) -> onnx.ModelProto:
    """A fitted estimator as ONNX with the signature's names.

    Args:
        model: The estimator.
        signature: One input and one output.
        columns: The classes it tells apart, as it names them; None for quantities.

    Raises:
        ExportFailed: skl2onnx does not know it or one of its steps.
    """
    if type(model).__name__ in _FOREST and type(model).__module__.startswith("sklearn."):
        return _by_trees(model, signature)
    return _by_skl2onnx(model, signature, columns)


def _by_trees(model: Any, signature: Signature) -> onnx.ModelProto:
    """A forest's mean as the sum of its trees' shares."""
    classes = getattr(model, "classes_", None)
    width = signature.outputs[0].shape[1] or 1
    # numen's own classes are indices, of which training rows may have had a part only.
    places = list(range(width))
    if classes is not None and len(classes) != width:
        places = [int(c) for c in classes]
    ensemble = Ensemble(width)
    for estimator in model.estimators_:
        tree = estimator.tree_
        ensemble.tree()
        numbers = []
        for node in range(tree.node_count):
            if tree.children_left[node] < 0:
                values = np.asarray(tree.value[node]).reshape(-1) / len(model.estimators_)
                kept = {places[i]: float(v) for i, v in enumerate(values) if v}
                rows = float(tree.weighted_n_node_samples[node])
                numbers.append(ensemble.leaf(kept, rows))
            else:
                missing = bool(tree.missing_go_to_left[node])
                cut = round_down(tree.threshold[node])
                numbers.append(ensemble.branch(int(tree.feature[node]), "BRANCH_LEQ", cut, missing))
        for node in range(tree.node_count):
            if tree.children_left[node] >= 0:
                ensemble.link(node, int(tree.children_left[node]), int(tree.children_right[node]))
    return ensemble.write(signature)


def _by_skl2onnx(model: Any, signature: Signature, columns: Any) -> onnx.ModelProto:
    """Any other estimator, by skl2onnx; its ends renamed, pictures flattened before it."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    source = signature.inputs[0]
    width = int(math.prod(size or 1 for size in source.row))
    kind = StringTensorType if source.dtype == "string" else FloatTensorType
    options: dict[Any, Any] = {} if columns is None else {id(model): {"zipmap": False}}
    # Not every system has skl2onnx's usual locale.
    options |= {id(step): {"locale": "C"} for step in steps_of_text(model)}
    exact = {type(s): convert_vectorizer for s in steps_of_text(model)}
    for step in steps_of_text(model):
        if not takes(step):  # one hook is for all of a kind
            exact.pop(type(step), None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # skl2onnx uses what its own dependencies retire
            made = convert_sklearn(
                model,
                initial_types=[(source.name, kind([None, width]))],
                options=options,
                custom_conversion_functions=exact,
                target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
            )
    except Exception as error:  # skl2onnx throws what it likes
        raise ExportFailed(
            f"export: {type(model).__name__}: {error}",
            hint="use estimators that skl2onnx knows, or a numen family",
        ) from error
    if type(model).__name__ in _BOOSTED and type(model).__module__.startswith("sklearn."):
        _say_covers(made, [each.tree_ for each in model.estimators_.ravel()])
    return _renamed(made, signature, columns)


def _say_covers(made: onnx.ModelProto, trees: list[Any]) -> None:
    """Writes down how many rows came to each node in training, which skl2onnx leaves out.

    Explanations need it. It keeps the trees' order and their nodes' numbers; where the cuts say
    that it has not, nothing is written.
    """
    (node,) = (each for each in made.graph.node if each.op_type.startswith("TreeEnsemble"))
    said = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    places = list(zip(said["nodes_treeids"], said["nodes_nodeids"], strict=True))
    if {tree for tree, _ in places} != set(range(len(trees))):
        return
    for (tree, number), mode, cut in zip(
        places, said["nodes_modes"], said["nodes_values"], strict=True
    ):
        if number >= trees[tree].node_count:
            return
        if mode != b"LEAF" and not np.isclose(cut, trees[tree].threshold[number], rtol=1e-6):
            return
    rates = [float(trees[tree].weighted_n_node_samples[number]) for tree, number in places]
    kept = [each for each in node.attribute if each.name != "nodes_hitrates"]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("nodes_hitrates", rates)])


def _renamed(made: onnx.ModelProto, signature: Signature, columns: Any) -> onnx.ModelProto:
    """Keeps one output, gives both ends their names and shapes, flattens rows of pictures."""
    (source,), (target,) = signature.inputs, signature.outputs
    graph = made.graph
    # skl2onnx may use our names for tensors of its own.
    new = {target.name: "made", **({source.name: "rows"} if len(source.shape) > 2 else {})}
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    have = graph.output[0 if columns is None else 1].name
    have = new.get(have, have)
    if columns is not None and len(columns) != target.shape[1]:
        # Classes that no training row had: probability nothing, in their places.
        spread = np.eye(target.shape[1] or 1, dtype=np.float32)[np.asarray(columns)]
        graph.initializer.append(onnx.numpy_helper.from_array(spread, "spread"))
        graph.node.append(onnx.helper.make_node("MatMul", [have, "spread"], ["all"]))
        have = "all"
    graph.node.append(onnx.helper.make_node("Identity", [have], [target.name]))
    if len(source.shape) > 2:
        graph.node.insert(0, onnx.helper.make_node("Flatten", [source.name], ["rows"]))
    for field, spec in ((graph.input, source), (graph.output, target)):
        kind = onnx.TensorProto.STRING if spec.dtype == "string" else onnx.TensorProto.FLOAT
        shape = ["batch" if size is None else size for size in spec.shape]
        del field[:]
        field.append(onnx.helper.make_tensor_value_info(spec.name, kind, shape))
    onnx.checker.check_model(made)
    return made
