"""Stage 2: from a cursor context to prompts, stopping rules and generations, with reuse of what was said before."""
