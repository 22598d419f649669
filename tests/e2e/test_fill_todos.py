"""The script that fills functions until their tests pass, with a scripted model and the real compiler and tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from goassist_models.evaluate.sandbox import namespaces
from support.serving import serving
from support.workspaces import lay_out

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "fill_todos.py"
WORKSPACE = r"""-- go.mod --
module example.com/sums

go 1.23
-- add.go --
package sums

// Add adds up.
func Add(a, b int) int {
	// TODO(goassist): TestAdd
}

//fake {"say": ["return a - b", "return a * b", "return a + b"]}
-- upper.go --
package sums

// Upper is s in upper case.
func Upper(s string) string {
	// TODO(goassist)
}

//fake {"say": ["return strings.ToUpper(s)"]}
-- never.go --
package sums

func Never() int {
	// TODO(goassist)
	panic("not written yet")
}

//fake {"say": ["return nowhere()"]}
-- put_off.go --
package sums

func PutOff() int {
	// TODO(goassist)
	panic("not written yet")
}

//fake {"say": ["// TODO(goassist): TestPutOff\n\tpanic(\"later\")"]}
-- sums_test.go --
package sums

import "testing"

func TestAdd(t *testing.T) {
	if Add(2, 3) != 5 {
		t.Fatal("wrong sum")
	}
}
"""


def run(url: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(root), "--url", f"{url}/v1"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_functions_are_filled_until_their_tests_pass(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "sums", WORKSPACE)
    left = {name: (root / name).read_text() for name in ("never.go", "put_off.go")}
    kind = "sandboxed" if namespaces() != "none" else "unconfined"
    with serving("--workspace", str(root), "--allow-tests", kind) as server:
        done = run(server.url, root)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "never.go:3: left as it is: undefined: nowhere",
        "put_off.go:3: left as it is: the model would leave it too",
        "upper.go:4: filled",
        "add.go:4: filled, TestAdd passed",
    ]
    assert "\treturn a + b\n}" in (root / "add.go").read_text()
    assert {name: (root / name).read_text() for name in left} == left
    filled = (root / "upper.go").read_text()
    assert 'import "strings"' in filled
    assert "\treturn strings.ToUpper(s)\n}" in filled


def test_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "sums", WORKSPACE)
    done = run("http://127.0.0.1:9", root)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
