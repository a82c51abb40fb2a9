"""The same image as a runtime of KServe's, and a model that it serves.

KServe brings models to /mnt/models: a home that is only read, as a baked image has it in /models.
Where no storage is named, they are the image's own, or those of the store that a Secret names.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from numen.deploy.baked import CATALOG
from numen.deploy.image import HOME, KEYS, USER
from numen.deploy.kubernetes.holes import fill
from numen.deploy.kubernetes.objects import END, GRPC, SHUT_IN, probes, store
from numen.deploy.kubernetes.options import Options

RUNTIME: Final = "numen"
# The port that KServe expects.
_HTTP: Final = 8080


def resources(options: Options, name: str) -> dict[str, Any]:
    """The resources, by the name of their file.

    Args:
        options: The options.
        name: What the InferenceService is called.
    """
    return {"runtime": _runtime(options), "service": _service(options, name)}


def _runtime(options: Options) -> dict[str, Any]:
    environment = {
        "NUMEN_PORT": str(_HTTP),
        "NUMEN_GRPC_PORT": str(GRPC),
        "NUMEN_WORKERS": str(options.workers),
        "NUMEN_DRAIN": str(options.drain),
        **_home("/mnt/models"),
        **({"NUMEN_INSECURE": "true"} if options.insecure else {}),
        "NUMEN_KEYS_FILE": KEYS,
    }
    container = {
        "name": "kserve-container",
        "image": options.image,
        # Whatever the image would serve by itself, this serves all that is in the catalog.
        "command": ["/opt/numen/bin/numen", "serve"],
        "env": _said(environment),
        "ports": [{"name": "http1", "containerPort": _HTTP, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": options.cpu, "memory": options.memory},
            "limits": {"memory": options.memory},
        },
        "securityContext": {**SHUT_IN, "runAsNonRoot": True, "runAsUser": USER},
        **probes(_HTTP),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            {"name": "keys", "mountPath": str(PurePosixPath(KEYS).parent), "readOnly": True},
        ],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": RUNTIME},
        "spec": {
            "annotations": {
                "prometheus.kserve.io/port": str(_HTTP),
                "prometheus.kserve.io/path": "/metrics",
            },
            "supportedModelFormats": [{"name": "numen", "version": "1", "autoSelect": True}],
            "protocolVersions": ["v2"],
            "multiModel": False,
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
                {
                    "name": "keys",
                    "secret": {"secretName": options.keys_secret, "optional": options.insecure},
                },
            ],
        },
    }


def _service(options: Options, name: str) -> dict[str, Any]:
    where = {"namespace": options.namespace} if options.namespace else {}
    model: dict[str, Any] = {
        "modelFormat": {"name": "numen"}, "protocolVersion": "v2", "runtime": RUNTIME,
    }  # fmt: skip
    if options.storage:
        model["storageUri"] = options.storage
    else:
        model["image"] = options.image
        model["env"] = _own(options)
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, **where},
        "spec": {
            "predictor": {
                "terminationGracePeriodSeconds": END + options.drain,
                "minReplicas": options.replicas,
                "maxReplicas": max(options.replicas, options.max_replicas),
                "model": model,
            }
        },
    }


def _own(options: Options) -> list[dict[str, Any]]:
    """Where an image finds its models, in place of what the runtime says."""
    if options.store_secret:
        # Its keys are in the catalog, and what it fetches is kept in /tmp.
        said = {"NUMEN_KEYS_FILE": "", "NUMEN_HOME": "/tmp/numen"}  # noqa: S108 - the pod's own
        named: list[dict[str, Any]] = fill(store(), msgspec.structs.asdict(options))
        return [*named, *_said(said)]
    return _said(_home(HOME))


def _home(folder: str) -> dict[str, str]:
    return {"NUMEN_HOME": folder, "NUMEN_CATALOG": CATALOG.format(home=folder)}


def _said(environment: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in environment.items()]
