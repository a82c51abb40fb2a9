"""What can be asked of numen in GraphQL: models and their versions, predictions, aliases, and jobs.

Whatever reads the registry runs on a thread; predictions stay on the Service's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NewType

import msgspec
import strawberry
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.extensions import ParserCache, SchemaExtension
from strawberry.file_uploads import Upload
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from numen import registry as published
from numen.control.graphql import explain as why
from numen.control.graphql import predict as run
from numen.control.graphql.context import Asked, Context
from numen.control.graphql.explain import Explanation
from numen.control.graphql.fields import documented, finite
from numen.control.graphql.jobs import JobChanges, JobLooks, Subscription
from numen.control.graphql.limits import REMEMBERED, Limits
from numen.control.graphql.predict import Prediction, TensorInput
from numen.core import signature
from numen.core.manifest import Classification
from numen.core.reference import DEFAULT_ALIAS, Reference
from numen.store.catalog import ModelVersion

Long = NewType("Long", int)


@strawberry.type(description="A tensor a model takes or gives.")
class TensorSpec:
    """A tensor of a signature."""

    name: str
    datatype: str = strawberry.field(description="FP32, INT64, BYTES, …")
    shape: list[int | None] = strawberry.field(description="Batch first; null where any size goes.")


@strawberry.type(description="A number measured at training.")
class Metric:
    """A named number."""

    name: str
    value: float | None


@strawberry.type(description="A name for a version, which can be moved.")
class Alias:
    """An alias and the version it stands for."""

    name: str
    version: str


@strawberry.type(description="One version of a model; it never changes.")
class Version:
    """One published version."""

    version: str
    digest: str
    created: str
    size: Long
    aliases: list[str]
    source: strawberry.Private[ModelVersion]

    @documented
    async def metrics(self, info: Asked) -> list[Metric]:
        """Numbers measured at training."""
        # Opened only when they are asked for.
        bundle = await asyncio.to_thread(info.context.bundle, self.source)
        return _metrics(bundle.manifest.metrics)


@strawberry.type(description="A published model; facts are those of its default version.")
class Model:
    """A published model."""

    name: str
    version: str = strawberry.field(description="Meant when none is named.")
    versions: list[Version]
    aliases: list[Alias]
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    preprocess: JSON | None = strawberry.field(description="How pictures or fields are read.")
    postprocess: JSON | None = strawberry.field(description="How outputs are read.")
    labels: list[str]
    metrics: list[Metric]
    framework: str
    family: str
    dataset: str
    digest: str
    created: str
    size: Long = strawberry.field(description="Bytes.")
    ready: bool = strawberry.field(description="Whether the default version answers now.")


# One resolver behind both: a prediction changes nothing, but files are sent with mutations.
async def _predict(
    info: Asked,
    model: str,
    version: str | None = None,
    inputs: list[TensorInput] | None = None,
    image: str | None = None,
    upload: Upload | None = None,
    fields: JSON | None = None,
) -> Prediction:
    given: dict[str, Any] = {"inputs": inputs, "image": image, "upload": upload, "fields": fields}
    grant = info.context.admit(model, "predict")
    return await run.run(info.context.service, model, version, given, grant)


async def _explain(
    info: Asked,
    model: str,
    version: str | None = None,
    inputs: list[TensorInput] | None = None,
    image: str | None = None,
    upload: Upload | None = None,
    fields: JSON | None = None,
    method: str | None = None,
    target: str | None = None,
) -> Explanation:
    given: dict[str, Any] = {"inputs": inputs, "image": image, "upload": upload, "fields": fields}
    grant = info.context.admit(model, "explain")
    return await why.run(info.context.service, model, version, given, method, target, grant)


_EXPLAIN = (
    "Why a live model answers so, of exactly one of: inputs, image, upload, fields, as of predict. "
    "target is the label that is asked about; else it is the likeliest."
)
_PREDICT = (
    "Runs a live model on exactly one of: inputs, image (base64, as a data URL or plain), "
    "upload (multipart), fields (an object, or one a row)."
)


@strawberry.type
class Query(JobLooks):
    """What can be looked up."""

    predict: Prediction = strawberry.field(resolver=_predict, description=_PREDICT)
    explain: Explanation = strawberry.field(resolver=_explain, description=_EXPLAIN)

    @documented
    async def models(self, info: Asked) -> list[Model]:
        """All published models that the caller may read."""
        context = info.context
        published = await asyncio.to_thread(context.registry.names)
        names = context.service.admission.allowed(context.credential, published, "read")

        def cards() -> list[Model]:
            return [_card(context, name) for name in names]

        return await asyncio.to_thread(cards)

    @documented
    async def model(self, info: Asked, name: str) -> Model | None:
        """One published model; null, with the error `not_found`, where there is none."""
        info.context.admit(name, "read")
        return await asyncio.to_thread(_card, info.context, name)


@strawberry.type
class Mutation(JobChanges):
    """What can be changed, and the predictions that bring a file."""

    predict: Prediction = strawberry.field(resolver=_predict, description=_PREDICT)
    explain: Explanation = strawberry.field(resolver=_explain, description=_EXPLAIN)

    @documented
    async def promote(self, info: Asked, model: str, version: str, alias: str) -> Model:
        """Makes an alias stand for a version (a number or another alias), at once."""
        info.context.admit(model, "manage")
        reference = Reference.parse(f"{model}@{version}")
        await asyncio.to_thread(info.context.registry.promote, reference, alias, opened=True)
        return await asyncio.to_thread(_card, info.context, model)

    @documented
    async def rollback(self, info: Asked, model: str, alias: str = DEFAULT_ALIAS) -> Model:
        """Undoes an alias's last move."""
        info.context.admit(model, "manage")
        await asyncio.to_thread(info.context.registry.rollback, model, alias)
        return await asyncio.to_thread(_card, info.context, model)


class _OneOperation(SchemaExtension):
    """Refuses to guess which of several operations is meant; the library takes the first."""

    def on_validate(self) -> Iterator[None]:
        """Last, so that it has the last word."""
        document = self.execution_context.graphql_document
        nodes = document.definitions if document is not None else ()
        count = sum(isinstance(node, OperationDefinitionNode) for node in nodes)
        if count > 1 and self.execution_context.context.operation is None:
            self.execution_context.pre_execution_errors = [
                GraphQLError(f"operationName: expected one of the document's {count} operations")
            ]
        yield


class _Schema(strawberry.Schema):
    """A schema that leaves logging to the door, which knows callers' mistakes from defects."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        pass


def make() -> strawberry.Schema:
    """The schema."""
    return _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        extensions=[Limits, lambda: ParserCache(REMEMBERED), _OneOperation],
        config=StrawberryConfig(
            scalar_map={
                Long: strawberry.scalar(
                    name="Long",
                    description="A whole number of up to 53 bits.",
                    serialize=int,
                    parse_value=int,
                )
            }
        ),
    )


def _card(context: Context, name: str) -> Model:
    """A model and its default version. Blocks."""
    model = context.registry.model(name)
    version = model.default
    manifest = context.bundle(version).manifest
    live = context.service.models.get(name)
    how = manifest.postprocess
    return Model(
        name=model.name,
        version=str(version.version),
        versions=[_version(model, v) for v in model.versions],
        aliases=[Alias(name=a, version=str(n)) for a, n in model.aliases.items()],
        inputs=[_tensor(spec) for spec in manifest.signature.inputs],
        outputs=[_tensor(spec) for spec in manifest.signature.outputs],
        preprocess=_plain(manifest.preprocess),
        postprocess=_plain(how),
        labels=list(how.labels) if isinstance(how, Classification) else [],
        metrics=_metrics(manifest.metrics),
        framework=manifest.framework,
        family=manifest.family,
        dataset=manifest.dataset,
        digest=version.digest,
        created=version.created,
        size=Long(version.size),
        ready=live is not None and str(version.version) in live.versions,
    )


def _version(model: published.Model, version: ModelVersion) -> Version:
    return Version(
        version=str(version.version),
        digest=version.digest,
        created=version.created,
        size=Long(version.size),
        aliases=[alias for alias, number in model.aliases.items() if number == version.version],
        source=version,
    )


def _tensor(spec: signature.TensorSpec) -> TensorSpec:
    return TensorSpec(name=spec.name, datatype=spec.datatype, shape=list(spec.shape))


def _metrics(metrics: dict[str, float]) -> list[Metric]:
    return [Metric(name=name, value=finite(value)) for name, value in metrics.items()]


def _plain(value: Any) -> JSON | None:
    return None if value is None else JSON(msgspec.to_builtins(value))
