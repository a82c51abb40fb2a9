"""Doors to live models: decode bytes, call the Service, encode the answer."""
