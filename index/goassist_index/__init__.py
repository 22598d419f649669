"""What we know about Go code: syntax, workspaces, types. The bottom package: it imports neither of the others."""
