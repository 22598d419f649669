"""A package index of one package: `goassist-lsp` as a wheel that starts the fake server."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

VERSION = "9.9"


def index_of_one(folder: Path, argv: Sequence[str]) -> dict[str, str]:
    """Make the wheel, whose command runs `argv`; returns the environment in which pip finds it and nothing else."""
    info = f"goassist_lsp-{VERSION}.dist-info"
    files = {
        "served.py": f"import os\n\n\ndef main():\n    os.execv({argv[0]!r}, {list(argv)!r})\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: goassist-lsp\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ngoassist-lsp = served:main\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"goassist_lsp-{VERSION}-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name, text)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
