"""Live models: batching, and the only entrance to them."""
