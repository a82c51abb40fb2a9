"""Nodes of a Ray cluster on this machine, also while it is busy."""

from __future__ import annotations

from typing import Any

from ray.cluster_utils import Cluster

from parts import free_port

_AGENTS = (
    "metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)  # fmt: skip


def add_node(cluster: Cluster, **how: Any) -> Any:
    """Adds one whose agents are told their ports: Ray gives up on those that it waits for."""
    return cluster.add_node(
        object_store_memory=100 << 20, node_ip_address="127.0.0.1",
        **{name: free_port() for name in _AGENTS}, **how,
    )  # fmt: skip
