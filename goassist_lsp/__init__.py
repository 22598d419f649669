"""What the user talks to: the completion pipeline, the language server and the command line."""
