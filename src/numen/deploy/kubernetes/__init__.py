"""Models on Kubernetes: plain YAML, the same as a Helm chart, and KServe's resources."""
