"""Evaluation: cases from real modules, an independent judge, metrics; `goassist_lsp/cli/bench.py` joins them."""
