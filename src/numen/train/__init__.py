"""A Dataset and a Recipe become a trained model that can export itself to ONNX."""
