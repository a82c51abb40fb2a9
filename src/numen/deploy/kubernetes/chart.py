"""The same objects as a Helm chart, whose values are the options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numen
from numen.deploy.kubernetes.holes import template
from numen.deploy.kubernetes.objects import HTTP, objects
from numen.deploy.kubernetes.options import chart_schema, chart_values
from numen.deploy.yaml import Between, dump

# The first minor version whose kubelets know how to sleep before they stop a container.
_OLDEST: Final = "1.30.0-0"

_NOTES: Final = f"""\
{{{{ .Release.Name }}}} serves at

  http://{{{{ .Release.Name }}}}.{{{{ .Release.Namespace }}}}.svc:{HTTP}
{{{{- if .Values.host }}}}
  http{{{{ if .Values.tlsSecret }}}}s{{{{ end }}}}://{{{{ .Values.host }}}}
{{{{- end }}}}

From your own machine:

  kubectl -n {{{{ .Release.Namespace }}}} port-forward service/{{{{ .Release.Name }}}} {HTTP}
  curl http://127.0.0.1:{HTTP}/v2/health/ready
{{{{- if and (not .Values.storeSecret) (not .Values.insecure) }}}}

It starts once the Secret {{{{ .Values.keysSecret }}}} is there:

  numen keys create NAME --file keys
  kubectl -n {{{{ .Release.Namespace }}}} create secret generic {{{{ .Values.keysSecret }}}} \\
    --from-file=keys
{{{{- end }}}}
"""


def chart(values: Mapping[str, Any]) -> dict[str, bytes]:
    """The chart's files.

    Args:
        values: What its values are unless the user of the chart says otherwise, and its name.
    """
    about = {
        "apiVersion": "v2",
        "name": values["name"],
        "description": "Models served by numen",
        "type": "application",
        "version": numen.__version__,
        "appVersion": numen.__version__,
        "kubeVersion": f">={_OLDEST}",
    }
    said = {key: Between(f"# {meaning}", value) for key, value, meaning in chart_values(values)}
    files: dict[str, Any] = {
        "Chart.yaml": dump(about),
        "values.yaml": dump(said),
        "values.schema.json": json.dumps(chart_schema(), indent=2) + "\n",
        "templates/NOTES.txt": _NOTES,
        **{f"templates/{file}.yaml": dump(template(tree)) for file, tree in objects().items()},
    }
    return {path: text.encode() for path, text in files.items()}
