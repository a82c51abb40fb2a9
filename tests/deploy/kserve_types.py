"""Reads KServe's resources as KServe's own types have them, strictly. Runs in `.venv-kserve`.

Usage: kserve_types.py FILE…, prints what is wrong.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import kserve
import kubernetes.client
import yaml

KINDS = {
    "ClusterServingRuntime": "V1alpha1ClusterServingRuntime",
    "InferenceService": "V1beta1InferenceService",
}
PLAIN = {"str": str, "int": int, "bool": bool, "object": object, "float": float}


def type_of(name: str) -> Any:
    return PLAIN.get(name) or getattr(kserve, name, None) or getattr(kubernetes.client, name)


def check(value: Any, type_: str, where: str) -> None:
    """Refuses an entry that the type does not have, or of another kind."""
    if inner := re.fullmatch(r"list\[(.+)\]", type_, re.IGNORECASE):
        assert isinstance(value, list), f"{where}: a list"
        for number, item in enumerate(value):
            check(item, inner[1], f"{where}[{number}]")
    elif inner := re.fullmatch(r"dict[\[(](\w+), (.+)[\])]", type_, re.IGNORECASE):
        assert isinstance(value, dict), f"{where}: a mapping"
        for key, item in value.items():
            check(item, inner[2], f"{where}.{key}")
    else:
        found = type_of(type_)
        if not hasattr(found, "openapi_types"):
            assert found is object or type(value) is found, f"{where}: {type_}, not {value!r}"
            return
        names = {said: name for name, said in found.attribute_map.items()}
        for key, item in value.items():
            assert key in names, f"{where}.{key}: {type_} has no such entry"
            check(item, found.openapi_types[names[key]], f"{where}.{key}")
        # Its own constructor knows what must not be left out.
        found(**{names[key]: item for key, item in value.items()})


for path in sys.argv[1:]:
    with open(path) as file:
        resource = yaml.safe_load(file)
    try:
        check(resource, KINDS[resource["kind"]], resource["kind"])
    except (AssertionError, ValueError) as error:
        print(error)
