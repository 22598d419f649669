"""`python -m goassist_lsp.cli`: the same as the goassist-lsp command."""

import sys

from goassist_lsp.cli import main

sys.exit(main())
