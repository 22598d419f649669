"""Claims about the index on disk when the process that writes it is killed: it opens, and the next pass mends it.

`GOASSIST_KILLS=100` kills more often than CI has time for.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goassist_index.embed import FakeEmbedder
from goassist_index.refine import DenseTier
from goassist_index.search import Searcher, Snippet
from goassist_index.store import Store
from goassist_index.update import update_workspace
from support.workspaces import lay_out

KILLS = int(os.environ.get("GOASSIST_KILLS", "10"))
FOLDERS = 24
CHILD = """
import sys
from pathlib import Path
from goassist_index.embed import FakeEmbedder
from goassist_index.refine import DenseTier
from goassist_index.store import Store
from goassist_index.update import update_file, update_workspace
store, root = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
with Store(store) as opened:
    update_workspace(opened, root)
    tier = DenseTier(opened, FakeEmbedder())
    tier.refresh(opened.live_units())
    tier.refine()
    for path in sorted(root.rglob("*.go"))[:20]:
        path.write_text(path.read_text() + "\\nfunc Saved() {}\\n")
        update_file(opened, root, path)
        tier.refresh(opened.live_units())
        tier.refine()
print("done", flush=True)
"""


def write_workspace(root: Path, draw: random.Random) -> None:
    """New content in all folders, so that there is work at any moment."""
    lay_out(root, "-- go.mod --\nmodule example.com/big\n")
    for folder in range(FOLDERS):
        for file in range(3):
            functions = "\n".join(
                f"// Fetch{folder}{n} fetches {draw.choice(['users', 'orders', 'prices'])}.\n"
                f"func (s *Store) Fetch{folder}x{file}x{n}(id int) error {{\n\treturn s.load(id, {draw.random()})\n}}\n"
                for n in range(12)
            )
            path = root / f"pkg{folder}" / f"file{file}.go"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"package pkg{folder}\n\ntype Store{file} struct{{}}\n\n{functions}")


def start(store: Path, root: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(store), str(root)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def answers(store: Store, root: Path, *, embed: bool = False) -> list[list[Snippet]]:
    """By words and by both rankings; `embed`: what has not been yet, first."""
    tier = DenseTier(store, FakeEmbedder())
    assert tier.rebuilt == ""
    searcher = Searcher(store, root, dense=tier)
    searcher.refresh()
    if embed:
        tier.refine()
    found = []
    for query in ("fetches orders", "Store", "saved", "fetch 3 prices"):
        found.append(searcher.search(query, 15))
        found.append(searcher.search(query, 15, vector=tier.asked(query).result()))
    tier.close()
    return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_killed_at_any_moment_it_opens_and_the_next_pass_agrees_with_a_fresh_one(tmp_path: Path) -> None:
    draw = random.Random(8)
    root = (tmp_path / "big").resolve()
    write_workspace(root, draw)
    begun = time.monotonic()
    with start(tmp_path / "measured", root) as child:
        child.wait()
    whole_s = time.monotonic() - begun
    store = tmp_path / "store"
    for kill in range(KILLS):
        write_workspace(root, draw)
        with start(store, root) as child:
            time.sleep(draw.uniform(0, whole_s))
            child.kill()
        with Store(store) as opened:
            assert opened.rebuilt == ""  # the log keeps it whole: nothing is lost
            answers(opened, root)
            if kill % 5 == 4:
                update_workspace(opened, root)
                with Store(tmp_path / f"fresh{kill}") as fresh:
                    update_workspace(fresh, root)
                    assert answers(opened, root, embed=True) == answers(fresh, root, embed=True)
