"""Stage 1: what stands at the cursor, and whether to ask the model at all."""
