"""Other people's networks: ONNX, .pt2 and weights, read without running their code. It must not train, attack or score."""
