"""What stands on the cluster, with holes where the options go.

A pod is what Kubernetes calls restricted: no root, no writing but to /tmp, no capabilities, no
token. It leaves in two steps, so that no request meets a closed door: while `preStop` sleeps, the
cluster learns to send nothing new; then numen, told to end, lets go of the connections it has,
each with its next answer, before it stops listening.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

from numen.deploy.image import KEYS, USER
from numen.deploy.kubernetes.holes import Both, More, Not, Split, Sum, Text, Value, When

# The metric that pods are added by; what it is made of is in `monitoring`.
WAITING: Final = "numen_waiting_per_worker"
HTTP: Final = 8000
GRPC: Final = 8001
# Longest that a server takes to answer what it was asked once it has stopped listening, with some
# to spare.
END: Final = 20

_NAME: Final = Value("name", "$.Release.Name")
_HOST: Final = Value("host")
_TLS: Final = Value("tls_secret")
_STORE: Final = Value("store_secret")
_METRICS: Final = Value("metrics_secret")
_GRPC: Final = Value("grpc")
_DRAIN: Final = Value("drain")
_SCALES: Final = More(Value("max_replicas"), Value("replicas"))
_LABELS: Final = {"app.kubernetes.io/name": "numen", "app.kubernetes.io/instance": _NAME}
# What an S3 client reads; a store may need none of it.
_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWSENDPOINT_URL")


def objects() -> dict[str, Any]:
    """All of them, by the name of their file, in the order in which they are made."""
    return {
        "serviceaccount": _serviceaccount(),
        "networkpolicy": _networkpolicy(),
        "service": _service(),
        "deployment": _deployment(),
        "poddisruptionbudget": _budget(),
        "horizontalpodautoscaler": When(_SCALES, _autoscaler()),
        "ingress": When(_HOST, _ingress(_NAME, {"/": "http"}, _WEB)),
        # HTTP/2 comes to a host only with a certificate.
        "ingress-grpc": When(
            Both(_GRPC, Both(_HOST, _TLS)),
            _ingress(Text((_NAME, "-grpc")), _SERVICES, _CALLS),
        ),
        "podmonitor": When(_METRICS, _podmonitor()),
    }


def _object(api: str, kind: str, *, name: Any = _NAME, **others: Any) -> dict[str, Any]:
    annotations = others.pop("annotations", None)
    about = {"name": name, "labels": _LABELS}
    if annotations is not None:
        about["annotations"] = annotations
    return {"apiVersion": api, "kind": kind, "metadata": about, **others}


def _serviceaccount() -> dict[str, Any]:
    return _object("v1", "ServiceAccount", automountServiceAccountToken=False)


def _deployment() -> dict[str, Any]:
    return _object(
        "apps/v1", "Deployment",
        spec={
            "replicas": When(Not(_SCALES), Value("replicas")),
            "selector": {"matchLabels": _LABELS},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": _LABELS, "annotations": _NOTED},
                "spec": _pod(),
            },
        },
    )  # fmt: skip


_NOTED: Final = {
    "numen/models": Value("models"),
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(HTTP),
    "prometheus.io/path": "/metrics",
}


def _pod() -> dict[str, Any]:
    return {
        "serviceAccountName": _NAME,
        "automountServiceAccountToken": False,
        # Or a Service called numen would set NUMEN_PORT.
        "enableServiceLinks": False,
        "imagePullSecrets": When(Value("pull_secret"), [{"name": Value("pull_secret")}]),
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": Sum((END, _DRAIN, _DRAIN)),
        "topologySpreadConstraints": [
            _spread("kubernetes.io/hostname"), _spread("topology.kubernetes.io/zone"),
        ],
        "containers": [_container()],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
            When(
                Not(_STORE),
                {
                    "name": "keys",
                    "secret": {
                        "secretName": Value("keys_secret"), "optional": Value("insecure"),
                    },
                },
            ),
        ],
    }  # fmt: skip


def _spread(over: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": over,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _LABELS},
        # Of one version at a time, or those that leave would count.
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container() -> dict[str, Any]:
    return {
        "name": "numen",
        "image": Value("image"),
        "env": _environment(),
        "ports": [
            {"name": "http", "containerPort": HTTP},
            When(_GRPC, {"name": "grpc", "containerPort": GRPC}),
        ],
        "resources": {
            "requests": {"cpu": Value("cpu"), "memory": Value("memory")},
            # No limit of the processor: a pod that is held back answers late for no reason.
            "limits": {"memory": Value("memory")},
        },
        "securityContext": SHUT_IN,
        **probes("http"),
        "lifecycle": When(_DRAIN, {"preStop": {"sleep": {"seconds": _DRAIN}}}),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            When(
                Not(_STORE),
                {"name": "keys", "mountPath": str(PurePosixPath(KEYS).parent), "readOnly": True},
            ),
        ],
    }


SHUT_IN: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def probes(port: str | int) -> dict[str, Any]:
    """How a kubelet asks: a server that leaves or is in trouble is not ready, and yet alive."""
    ready = {"httpGet": {"path": "/v2/health/ready", "port": port}}
    alive = {"httpGet": {"path": "/healthz", "port": port}}
    return {
        "startupProbe": {**ready, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 300},
        "readinessProbe": {**ready, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {
            **alive, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3,
        },
    }  # fmt: skip


def _environment() -> list[Any]:
    # The image says all else: where its models are, that it serves other machines, how it logs.
    said = {
        "NUMEN_PORT": str(HTTP),
        "NUMEN_GRPC_PORT": str(GRPC),
        "NUMEN_WORKERS": Text((Value("workers"),)),
        "NUMEN_DRAIN": Text((_DRAIN,)),
    }
    return [
        *({"name": name, "value": value} for name, value in said.items()),
        When(Value("insecure"), {"name": "NUMEN_INSECURE", "value": "true"}),
        When(Not(_STORE), {"name": "NUMEN_KEYS_FILE", "value": KEYS}),
        *(When(_STORE, entry) for entry in store()),
    ]


def store() -> list[dict[str, Any]]:
    """The part of the environment that names catalog and blobs, and lets in there."""
    return [
        *(_secret(name) for name in ("NUMEN_CATALOG", "NUMEN_BLOBS")),
        *(_secret(name, optional=True) for name in _CREDENTIALS),
    ]


def _secret(name: str, *, optional: bool = False) -> dict[str, Any]:
    which = {"name": _STORE, "key": name, **({"optional": True} if optional else {})}
    return {"name": name, "valueFrom": {"secretKeyRef": which}}


def _service() -> dict[str, Any]:
    return _object(
        "v1", "Service",
        spec={
            "selector": _LABELS,
            "ports": [
                {"name": "http", "port": HTTP, "targetPort": "http", "appProtocol": "http"},
                When(
                    _GRPC,
                    {
                        "name": "grpc", "port": GRPC, "targetPort": "grpc",
                        "appProtocol": "kubernetes.io/h2c",
                    },
                ),
            ],
        },
    )  # fmt: skip


def _budget() -> dict[str, Any]:
    return _object(
        "policy/v1", "PodDisruptionBudget",
        spec={"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}},
    )  # fmt: skip


def _autoscaler() -> dict[str, Any]:
    return _object(
        "autoscaling/v2", "HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": _NAME},
            "minReplicas": Value("replicas"),
            "maxReplicas": Value("max_replicas"),
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": WAITING},
                        "target": {
                            "type": "AverageValue", "averageValue": Text((Value("waiting"),)),
                        },
                    },
                },
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization", "averageUtilization": Value("cpu_percent"),
                        },
                    },
                },
            ],
            # Quick to come, slow to go: what is waiting is late already.
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": 0},
                "scaleDown": {"stabilizationWindowSeconds": 300},
            },
        },
    )  # fmt: skip


def _networkpolicy() -> dict[str, Any]:
    """Who may call: pods beside it, and those of the callers' namespaces. It calls its store."""
    named = {
        "key": "kubernetes.io/metadata.name", "operator": "In", "values": Split(Value("callers")),
    }  # fmt: skip
    return _object(
        "networking.k8s.io/v1", "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": _LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": {}},
                        {"namespaceSelector": {"matchExpressions": [named]}},
                    ],
                    "ports": [
                        {"protocol": "TCP", "port": "http"},
                        When(_GRPC, {"protocol": "TCP", "port": "grpc"}),
                    ],
                }
            ],
            # A baked image asks nobody anything; a catalog and blobs may be anywhere.
            "egress": When(_STORE, [{}]),
        },
    )  # fmt: skip


# A game's WebSocket stays open; a body may be as large as numen takes it.
_WEB: Final = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
}
_CALLS: Final = {**_WEB, "nginx.ingress.kubernetes.io/backend-protocol": "GRPC"}
_SERVICES: Final = {
    "/inference.GRPCInferenceService": "grpc",
    "/grpc.health.v1.Health": "grpc",
    "/grpc.reflection.v1.ServerReflection": "grpc",
}


def _ingress(name: Any, paths: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return _object(
        "networking.k8s.io/v1", "Ingress", name=name, annotations=annotations,
        spec={
            "ingressClassName": When(Value("ingress_class"), Value("ingress_class")),
            "tls": When(_TLS, [{"hosts": [_HOST], "secretName": _TLS}]),
            "rules": [
                {
                    "host": _HOST,
                    "http": {
                        "paths": [
                            {
                                "path": path,
                                "pathType": "Prefix",
                                "backend": {"service": {"name": _NAME, "port": {"name": port}}},
                            }
                            for path, port in paths.items()
                        ]
                    },
                }
            ],
        },
    )  # fmt: skip


def _podmonitor() -> dict[str, Any]:
    return _object(
        "monitoring.coreos.com/v1", "PodMonitor",
        spec={
            "selector": {"matchLabels": _LABELS},
            "podMetricsEndpoints": [
                {
                    "port": "http",
                    "path": "/metrics",
                    "authorization": {"credentials": {"name": _METRICS, "key": "key"}},
                }
            ],
        },
    )  # fmt: skip
