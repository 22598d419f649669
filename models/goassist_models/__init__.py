"""Weights in, tokens out: the model registry, infill formats and engines. Imports goassist_index only."""
