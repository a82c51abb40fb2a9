"""The target `kubernetes`: what is written for a cluster, and kubectl that makes it real."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from numen.core.errors import InvalidInput, MissingExtra
from numen.deploy.baked import home
from numen.deploy.base import Files, Note, Shipped
from numen.deploy.build import run
from numen.deploy.image import tag_of
from numen.deploy.kubernetes import kserve
from numen.deploy.kubernetes.chart import chart
from numen.deploy.kubernetes.holes import fill
from numen.deploy.kubernetes.monitoring import adapter
from numen.deploy.kubernetes.objects import objects
from numen.deploy.kubernetes.options import Options
from numen.deploy.yaml import dump

_LONGEST: Final = 50  # characters of a name, as the options have it


class KubernetesTarget:
    """Write what serves models on Kubernetes: plain YAML, a Helm chart, KServe's resources."""

    options: ClassVar[type[msgspec.Struct]] = Options
    applies: ClassVar[bool] = False
    aside: ClassVar[tuple[str, ...]] = (
        "chart/*", "kserve/*", "kustomization.yaml", "prometheus-adapter.yaml",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self._options = options

    def render(self, models: Sequence[Shipped]) -> Files:
        """The folder: objects to apply, `chart`, `kserve`, and values for prometheus-adapter.

        Raises:
            InvalidInput: An option needs another one.
        """
        options = _complete(self._options, models)
        served = ",".join(f"{each.version.name}@{each.version.version}" for each in models)
        values = {**msgspec.structs.asdict(options), "models": served}
        plain = {name: fill(tree, values) for name, tree in objects().items()}
        files = {f"{name}.yaml": dump(tree) for name, tree in plain.items() if tree is not None}
        files["kustomization.yaml"] = dump(_kustomization(list(files), options.namespace))
        files["prometheus-adapter.yaml"] = dump(adapter())
        theirs = {
            f"{name}.yaml": dump(tree)
            for name, tree in kserve.resources(options, options.name).items()
        }
        # A runtime is of no namespace, which kustomize does not know.
        theirs["kustomization.yaml"] = dump(_kustomization(list(theirs), ""))
        # What KServe is to find at the place that was named for it.
        stored = home(models, "kserve/models") if options.storage else {}
        return {
            **stored,
            **{path: text.encode() for path, text in files.items()},
            **{f"chart/{path}": text for path, text in chart(values).items()},
            **{f"kserve/{path}": text.encode() for path, text in theirs.items()},
        }

    def apply(self, folder: Path, note: Note) -> dict[str, Any]:
        """Hands the folder to kubectl, and waits until the new pods are ready.

        Raises:
            MissingExtra: There is no kubectl.
            NotReady: kubectl failed, or the pods do not get ready.
        """
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            raise MissingExtra(
                "deploy: kubectl is not on the PATH",
                hint=f"install it, or hand {folder} to who has it: kubectl apply -k {folder}",
            )
        note("applying")
        names = run(kubectl, "apply", "-k", str(folder), "-o", "name").split()
        (deployment,) = (name for name in names if name.startswith("deployment."))
        note("waiting for the pods")
        where = ["-n", self._options.namespace] if self._options.namespace else []
        run(kubectl, *where, "rollout", "status", deployment, "--timeout=10m")
        return {"objects": len(names), "deployment": deployment.partition("/")[2]}


def _complete(options: Options, models: Sequence[Shipped]) -> Options:
    """The options with what follows from the models and from one another.

    Raises:
        InvalidInput: An option needs another one.
    """
    if options.tls_secret and not options.host:
        raise InvalidInput(
            "tls_secret: a certificate is a host's, and none is named",
            hint="say --host", field="tls_secret",
        )  # fmt: skip
    name = options.name or _name(models[0].reference.name)
    return msgspec.structs.replace(options, name=name, image=options.image or tag_of(models))


def _name(model: str) -> str:
    """A model's name as Kubernetes takes it."""
    plain = re.sub("[^a-z0-9]+", "-", model)
    whole = plain if plain[0].isalpha() else f"numen-{plain}"
    return whole[:_LONGEST].strip("-")


def _kustomization(files: list[str], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **({"namespace": namespace} if namespace else {}),
        "resources": files,
    }
