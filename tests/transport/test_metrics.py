"""`/metrics` is Prometheus's format and counts what was asked; so do the statistics."""

from __future__ import annotations

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from wire import image, infer_json

from parts import Live


def read(live: Live, model: str = "linear", version: str = "1") -> dict[str, float]:
    reply = httpx.get(f"{live.url}/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(reply.text):
        assert family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("model", model) == model and labels.pop("version", version) == version:
                key = sample.name + "".join(f",{k}={v}" for k, v in sorted(labels.items()))
                assert key not in values, key
                values[key] = sample.value
    return values


def statistics(live: Live, path: str = "linear/versions/1") -> dict[str, Any]:
    (found,) = httpx.get(f"{live.url}/v2/models/{path}/stats").json()["model_stats"]
    return found


def test_what_was_asked_is_counted(house: Live) -> None:
    before, stats = read(house), statistics(house)
    with httpx.Client(base_url=house.url) as http:
        for rows in (1, 2, 3):
            reply = http.post("/v2/models/linear/infer", content=infer_json(image(1, rows)))
            assert reply.status_code == 200
        assert http.post(
            "/v1/models/linear:predict", json={"instances": image(1).tolist()}
        ).is_success
        late = http.post("/v2/models/linear/infer", content=infer_json(image(1)),
                         headers={"numen-deadline-ms": "0"})  # fmt: skip
        assert late.status_code == 504
    after = read(house)

    def grown(key: str) -> float:
        return after[key] - before.get(key, 0)

    met = ",outcome=met,variant=fp32"
    assert grown("numen_rows_total,variant=fp32") == 7
    assert grown("numen_compute_seconds_count,variant=fp32") == 4
    assert grown("numen_queue_seconds_count,variant=fp32") == 4
    assert grown(f"numen_request_seconds_count{met}") == 4
    assert grown(f"numen_request_seconds_bucket,le=+Inf{met}") == 4
    assert grown("numen_request_seconds_count,outcome=deadline_exceeded,variant=") == 1
    assert 0 < grown(f"numen_request_seconds_sum{met}") < 4
    assert grown("numen_compute_seconds_sum,variant=fp32") > 0
    assert grown("numen_compute_seconds_sum,variant=fp32") <= grown(
        f"numen_request_seconds_sum{met}"
    )
    assert grown("numen_queue_seconds_sum,variant=fp32") >= 0
    assert after["numen_model_live"] == 1
    buckets = [
        value for key, value in after.items() if "request_seconds_bucket" in key and met in key
    ]
    assert buckets == sorted(buckets)
    assert after["process_resident_memory_bytes"] > 1 << 20

    now = statistics(house)
    assert now["inference_count"] - stats["inference_count"] == 7
    assert now["execution_count"] - stats["execution_count"] == 4
    for key, count in {"success": 4, "fail": 1, "queue": 4, "compute_infer": 4}.items():
        was, is_ = stats["inference_stats"][key], now["inference_stats"][key]
        assert is_["count"] - was["count"] == count, key
        assert is_["ns"] >= was["ns"]
    assert now["inference_stats"]["success"]["ns"] > stats["inference_stats"]["success"]["ns"]


def test_each_live_version_has_its_own(house: Live) -> None:
    httpx.post(f"{house.url}/v2/models/linear/versions/2/infer", content=infer_json(image(1)))
    assert read(house, version="2")["numen_rows_total,variant=fp32"] >= 1
    assert statistics(house, "linear/versions/2")["version"] == "2"
    assert read(house, "pair")["numen_model_live"] == 1


def test_all_statistics_come_at_once(house: Live) -> None:
    rows = httpx.get(f"{house.url}/v2/models/stats").json()["model_stats"]
    assert {(row["name"], row["version"]) for row in rows} == {
        ("linear", "1"), ("linear", "2"), ("echo", "1"), ("pair", "1"), ("words", "1"),
        ("table", "1"), ("log", "1"), ("mood", "1"),
    }  # fmt: skip
