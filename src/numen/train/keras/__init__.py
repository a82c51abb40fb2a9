"""Keras 3 as a trainer: its back ends, numen's families for it, and the way from it to ONNX."""
