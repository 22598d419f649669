"""One file per endpoint: each reads its request, has it answered, and nothing else."""
