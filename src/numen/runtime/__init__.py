"""A bundle becomes a callable: a batch of arrays in, a batch of the same length out."""
