"""A Grafana dashboard over the metrics that a numen server tells of itself."""

from __future__ import annotations

import json
from typing import Any, Final

SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_OF: Final = 'model=~"$model"'
_WELL: Final = f'{_OF}, outcome=~"met|degraded"'
_BADLY: Final = f'{_OF}, outcome!~"met|degraded"'
_RATE: Final = "[$__rate_interval]"
_WIDE, _HIGH = 8, 8


def dashboard() -> bytes:
    """The dashboard as JSON."""
    panels = [
        *(_number(place, *said) for place, said in enumerate(_NUMBERS)),
        *(_graph(place, *said) for place, said in enumerate(_GRAPHS)),
    ]
    whole = {
        "uid": "numen", "title": "numen", "tags": ["numen"], "schemaVersion": 39, "version": 1,
        "editable": True, "refresh": "5s", "timezone": "browser", "graphTooltip": 1,
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [_variable()]},
        "annotations": {"list": []},
        "panels": [{**panel, "id": number} for number, panel in enumerate(panels, 1)],
    }  # fmt: skip
    return (json.dumps(whole, indent=1) + "\n").encode()


def _rate(metric: str, by: str = "", of: str = _OF) -> str:
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{of}}}{_RATE}))"


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', 'le, model')})"


_NUMBERS: Final = [
    ("Requests", "reqps", _rate("numen_request_seconds_count")),
    ("Answered in time", "percentunit",
     f"{_rate('numen_request_seconds_count', of=_WELL)}"
     f" / {_rate('numen_request_seconds_count')}"),
    ("Models open", "none", f"count(numen_model_live{{{_OF}}} > 0)"),
    ("Workers", "none", "sum(numen_workers)"),
    ("Workers replaced", "none", "sum(numen_worker_restarts_total)"),
]  # fmt: skip
_GRAPHS: Final[list[tuple[str, str, dict[str, str]]]] = [
    ("Requests by model and outcome", "reqps",
     {"{{model}} {{outcome}}": _rate("numen_request_seconds_count", "model, outcome")}),
    ("Time to answer", "s",
     {f"{{{{model}}}} p{round(share * 100)}": _quantile(share, "numen_request_seconds")
      for share in (0.5, 0.95, 0.99)}),
    ("Deadlines: share of each outcome", "percentunit",
     {"{{outcome}}": f"{_rate('numen_request_seconds_count', 'outcome')} / scalar("
                     f"{_rate('numen_request_seconds_count')})"}),
    ("Rows that wait", "none", {"{{model}}": f"sum by (model) (numen_queue_rows{{{_OF}}})"}),
    ("Time in the queue, p95", "s", {"{{model}}": _quantile(0.95, "numen_queue_seconds")}),
    ("Time a batch takes, p95", "s", {"{{model}}": _quantile(0.95, "numen_compute_seconds")}),
    ("Rows that run together", "none",
     {"{{model}}": f"{_rate('numen_rows_total', 'model')}"
                   f" / {_rate('numen_compute_seconds_count', 'model')}"}),
    ("Refused and failed, by code", "reqps",
     {"{{model}} {{outcome}}": _rate("numen_request_seconds_count", "model, outcome",
                                     _BADLY)}),
    ("Rows by variant", "rowsps",
     {"{{model}}@{{version}}/{{variant}}": _rate("numen_rows_total", "model, version, variant")}),
    ("Memory", "bytes", {"{{instance}}": 'process_resident_memory_bytes{job="numen"}'}),
    ("Processor", "percentunit",
     {"{{instance}}": f'rate(process_cpu_seconds_total{{job="numen"}}{_RATE})'}),
    ("Open files", "none", {"{{instance}}": 'process_open_fds{job="numen"}'}),
]  # fmt: skip


def _variable() -> dict[str, Any]:
    query = "label_values(numen_model_live, model)"
    return {
        "name": "model", "label": "Model", "type": "query", "datasource": SOURCE,
        "query": {"query": query, "refId": "model"}, "definition": query, "refresh": 2, "sort": 1,
        "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def _number(place: int, title: str, unit: str, query: str) -> dict[str, Any]:
    wide = 24 // len(_NUMBERS)
    return {
        **_panel(title, unit, {"": query}), "type": "stat",
        "gridPos": {"x": place * wide, "y": 0, "w": wide, "h": 4},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "graphMode": "area", "colorMode": "value",
        },
    }  # fmt: skip


def _graph(place: int, title: str, unit: str, queries: dict[str, str]) -> dict[str, Any]:
    row, column = divmod(place, 24 // _WIDE)
    return {
        **_panel(title, unit, queries), "type": "timeseries",
        "gridPos": {"x": column * _WIDE, "y": 4 + row * _HIGH, "w": _WIDE, "h": _HIGH},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }  # fmt: skip


def _panel(title: str, unit: str, queries: dict[str, str]) -> dict[str, Any]:
    return {
        "title": title, "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "datasource": SOURCE, "expr": query,
             "legendFormat": legend or "__auto"}
            for number, (legend, query) in enumerate(queries.items())
        ],
    }  # fmt: skip
