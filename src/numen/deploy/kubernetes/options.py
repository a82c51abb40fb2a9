"""What can be said of a deployment on Kubernetes: the command's flags and the chart's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from numen.deploy.kubernetes.holes import camel

# Words as Kubernetes takes them; empty is none. A Service's name leaves room for a tail.
_Label = Annotated[
    str, Meta(pattern=r"^([a-z]([-a-z0-9]{0,48}[a-z0-9])?)?$", examples=["digits", "my-games"])
]
_Secret = Annotated[
    str, Meta(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$", examples=["numen-keys"])
]
_Quantity = Annotated[
    str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$", examples=["500m", "1.5", "2Gi"])
]
_Host = Annotated[str, Meta(pattern=r"^[a-z0-9.*-]*$", examples=["digits.example.com"])]
_Image = Annotated[str, Meta(pattern=r"^\S*$", examples=["registry.example/digits:3"])]
_Place = Annotated[str, Meta(pattern=r"^\S*$", examples=["s3://models/digits"])]
_Several = Annotated[
    str, Meta(pattern=r"^[a-z0-9-]+(,[a-z0-9-]+)*$", examples=["ingress-nginx,monitoring"])
]
_Positive = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[int, Meta(ge=0, le=300)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options; a chart has as values all but `ELSEWHERE`, and the models."""

    name: Annotated[
        _Label, Meta(description="What all is called; the first model's name if empty.")
    ] = ""
    namespace: Annotated[
        _Label, Meta(description="Where it goes; kubectl's own choice if empty.")
    ] = ""
    image: Annotated[
        _Image, Meta(description="The image, as the cluster pulls it; deploy docker's if empty.")
    ] = ""
    pull_secret: Annotated[_Secret, Meta(description="Secret that opens the image's registry.")] = (
        ""
    )
    replicas: Annotated[_Positive, Meta(description="Pods, at the least.")] = 2
    max_replicas: Annotated[
        _Positive, Meta(description="Pods at the most; not more than replicas keeps their number.")
    ] = 10
    workers: Annotated[_Positive, Meta(description="Processes that serve in a pod.")] = 1
    waiting: Annotated[
        _Positive,
        Meta(description="Requests that wait in a worker, on average, at which pods are added."),
    ] = 4
    cpu_percent: Annotated[
        _Positive, Meta(description="Load of the processor at which pods are added.")
    ] = 80
    cpu: Annotated[_Quantity, Meta(description="Processor that a pod asks for.")] = "1"
    memory: Annotated[_Quantity, Meta(description="Memory that a pod asks for, and may have.")] = (
        "1Gi"
    )
    grpc: Annotated[
        bool, Meta(description="Offer gRPC too; the image is one built with --full.")
    ] = False
    host: Annotated[_Host, Meta(description="Host of the Ingress; none if empty.")] = ""
    tls_secret: Annotated[_Secret, Meta(description="Secret with the host's certificate.")] = ""
    ingress_class: Annotated[
        _Secret, Meta(description="Class of the Ingress; the cluster's own if empty.")
    ] = ""
    callers: Annotated[
        _Several,
        Meta(description="Namespaces, beside its own, whose pods may call it, with commas."),
    ] = "ingress-nginx,monitoring"
    keys_secret: Annotated[
        _Secret,
        Meta(
            min_length=1,
            description="Secret with the file `keys` that says who may call a baked image.",
        ),
    ] = "numen-keys"  # noqa: S105 - a name, no secret
    insecure: Annotated[bool, Meta(description="Serve although there is no key.")] = False
    store_secret: Annotated[
        _Secret,
        Meta(description="Secret with NUMEN_CATALOG and NUMEN_BLOBS, for an image that fetches."),
    ] = ""
    metrics_secret: Annotated[
        _Secret,
        Meta(description="Secret whose entry `key` opens the metrics to Prometheus's operator."),
    ] = ""
    drain: Annotated[
        _Seconds, Meta(description="Seconds in which others learn that a pod leaves, twice over.")
    ] = 5
    storage: Annotated[
        _Place, Meta(description="Where KServe finds the models, such as s3://….")
    ] = ""


# Helm is told these on its own command line, or they are KServe's alone.
ELSEWHERE: Final = ("name", "namespace", "storage")


# No option, for the command has it already: its models.
MODELS: Final = "What the image serves, with commas; written on the pods, which a change replaces."


def chart_values(values: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """A chart's values: name, what it is unless its user says otherwise, and what it means."""
    meanings = {
        field.name: next(meta.description for meta in field.type.__metadata__ if meta.description)
        for field in msgspec.structs.fields(Options)
        if field.name not in ELSEWHERE
    }
    return [
        (camel(name), values[name], meaning)
        for name, meaning in {"models": MODELS, **meanings}.items()
    ]


def chart_schema() -> dict[str, Any]:
    """The JSON Schema of a chart's values."""
    whole = msgspec.json.schema(Options)["$defs"]["Options"]["properties"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            # What Helm hands to every chart.
            "global": {"type": "object"},
            "models": {"description": MODELS, "type": "string"},
            **{camel(name): rule for name, rule in whole.items() if name not in ELSEWHERE},
        },
        "additionalProperties": False,
    }
