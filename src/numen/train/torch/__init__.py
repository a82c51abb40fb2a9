"""torch as a trainer of the user's own networks, and as a guest."""
