"""Training: a model's weights, the compiler as its reward, and the way back to a GGUF that the server loads."""
