"""The journey of `numen demo`: real digits, a trained model, a server, four answers."""

from __future__ import annotations

import base64
import contextlib
import io
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from PIL import Image
from rich.rule import Rule

from numen.api.apart import serving
from numen.cli import show
from numen.core import settings
from numen.core.errors import Internal

_MODEL = "digits"


def travel(epochs: int, port: int | None, stay: bool) -> None:
    """Makes the journey and tells of it.

    Args:
        epochs: Passes over the training images.
        port: Where to serve; the settings' own where None.
        stay: Serve on until Ctrl-C.
    """
    begin = time.perf_counter()
    _step("1  data", "60,000 handwritten digits to learn from, 10,000 to be tested on")
    dataset = _data()
    _step("2  train", "the classic small network: Flatten, Dense 128, Dropout, Dense 10")
    _train(epochs)
    _step("3  serve", "a process of its own, with no machine-learning framework in it")
    with _serving(port) as address:
        _step("4  predict", "one image of the test set through four doors")
        _predict(address, dataset)
        took = time.perf_counter() - begin
        show.out.print(Rule(style="dim"))
        show.out.print(f"[green]✓[/] serving [bold]{_MODEL}[/] after {took:.0f} s")
        show.out.print(f"  draw a digit      [bold underline]{address}/[/]")
        show.out.print(f"  all its doors     {address}/docs   {address}/graphql")
        show.out.print(f"  in your program   numen.Client({address!r}).predict({_MODEL!r}, image)")
        if not stay:
            return
        show.out.print("  [dim]Ctrl-C stops it; numen serve starts it again[/]")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


def _step(name: str, text: str) -> None:
    show.out.print(f"\n[bold cyan]{name:<10}[/] {text}")


def _data() -> Any:
    from numen.api.data import library
    from numen.data.picture import render_samples

    found = library()
    with show.err.status("looking through the images"):
        added = found.add("mnist", ["sample:mnist"])
    dataset = found.open("mnist")
    show.out.print(render_samples(dataset, 10, width=14))
    show.out.print(
        f"  {added.version.name}@{added.version.version}  {len(dataset.train):,} + "
        f"{len(dataset.test):,} images  [dim]{added.version.digest[:19]}[/]"
    )
    return dataset


def _train(epochs: int) -> None:
    from numen.api.train import train
    from numen.api.workspace import promote

    with show.TrainingBar() as bar:
        model = train("mnist", "mlp", name=_MODEL, epochs=epochs, progress=bar)
    version = model.version
    if version is None:
        raise KeyboardInterrupt
    promote(f"{_MODEL}@{version.version}")
    show.out.print(
        f"  accuracy [bold]{model.metrics['accuracy']:.4f}[/] on images it never saw; as ONNX it "
        f"differs by {model.manifest.parity:.0e}"
    )
    show.out.print(f"  published [bold]{_MODEL}@{version.version}[/], alias [bold]champion[/]")


@contextlib.contextmanager
def _serving(port: int | None) -> Iterator[str]:
    current = settings.load({"port": port})[0]
    with serving(_MODEL, current.host, current.port) as server:
        if current.port and not server.address.endswith(f":{current.port}"):
            show.out.print(f"  [dim]port {current.port} is taken; this one is free[/]")
        show.out.print(f"  ready in {server.seconds:.1f} s at [bold]{server.address}[/]")
        yield server.address


def _predict(address: str, dataset: Any) -> None:
    from numen.data.picture import Picture

    batch = next(iter(dataset.test.take(np.array([0])).batches(1)))
    pixels, truth = batch.inputs["image"][0], dataset.labels[int(batch.target[0])]
    answers = ask(address, _MODEL, pixels)
    show.out.print(Picture(pixels))
    for door, probabilities in answers.items():
        best = int(np.argmax(probabilities))
        share = float(probabilities[best])
        show.out.print(
            f"  {door:<38} [bold]{dataset.labels[best]}[/] [cyan]{show.bar(share):<24}[/] "
            f"{share:.6f}"
        )
    spread = max(float(np.ptp(column)) for column in np.stack(list(answers.values())).T)
    show.out.print(f"  it is a [bold]{truth}[/]; the doors differ by {spread:.1e} at most")
    if spread > 1e-5:
        raise Internal(f"the doors disagree by {spread}")


def ask(address: str, model: str, pixels: Any) -> dict[str, Any]:
    """The probabilities of one picture from each door, by what was asked.

    Args:
        address: The server's.
        model: A model that takes float32[?, h, w] in 0-255.
        pixels: uint8[h, w].
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    png = file.getvalue()
    rows = pixels[None].astype(float).tolist()
    tensor = {"name": "image", "shape": [1, *pixels.shape], "datatype": "FP32", "data": rows}
    query = (
        "query($m: String!, $i: String!) { predict(model: $m, image: $i) "
        "{ outputs { name data } } }"
    )
    variables = {"m": model, "i": base64.b64encode(png).decode()}
    with httpx.Client(base_url=address, timeout=30) as client:

        def post(path: str, **how: Any) -> Any:
            return client.post(path, **how).raise_for_status().json()

        v2 = post(f"/v2/models/{model}/infer", json={"inputs": [tensor]})
        v1 = post(f"/v1/models/{model}:predict", json={"instances": rows})
        friendly = post(
            f"/predict/{model}", content=png, headers={"content-type": "image/png"},
            params={"top": 10},
        )  # fmt: skip
        graph = post("/graphql", json={"query": query, "variables": variables})
    ranked = {score["label"]: score["probability"] for score in friendly["top"]}
    return {
        f"POST /v2/models/{model}/infer": np.array(v2["outputs"][0]["data"]).ravel(),
        f"POST /v1/models/{model}:predict": np.array(v1["predictions"][0]),
        f"POST /predict/{model}  (PNG)": np.array([ranked[str(i)] for i in range(len(ranked))]),
        "POST /graphql  (PNG)": np.array(graph["data"]["predict"]["outputs"][0]["data"]).ravel(),
    }
