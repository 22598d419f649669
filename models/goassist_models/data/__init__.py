"""Training data: from licensed Go source to infill samples, in stages that read and write JSONL shards."""
