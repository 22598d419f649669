from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from goassist_index.errors import CheckerUnavailable, SourceError
from goassist_index.gobuild import build_type_service
from goassist_index.typeservice import TypeService
from goassist_index.verdict import ImportSpec

MODULE = {
    "go.mod": "module example.com/tools\n\ngo 1.22\n",
    "tools.go": "package tools\n\ntype Tool struct{ Name string }\n\nfunc (t *Tool) Use() {}\n",
    "user.go": "package tools\n\nfunc use(t *Tool) {\n\t\n}\n",
    "other/other.go": 'package other\n\nimport "example.com/tools"\n\nfunc f(t *tools.Tool) {\n\t\n}\n',
}


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache directory for all tests, so that the service is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    for name, text in MODULE.items():
        path = tmp_path / "a module" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "a module"


@pytest_asyncio.fixture
async def service(module: Path, binaries: Path) -> AsyncIterator[TypeService]:
    made = await TypeService.start(module, cache_dir=binaries)
    yield made
    await made.aclose()


def hole(text: str) -> int:
    return text.index("\t\n") + 1


async def statuses(service: TypeService, path: Path, *inserts: str, text: str | None = None) -> list[str]:
    at = hole(text if text is not None else MODULE[path.relative_to(service.root).as_posix()])
    return [v.status for v in await service.check(path, text, at, at, inserts)]


async def test_gives_each_candidate_its_verdict(service: TypeService, module: Path) -> None:
    good, bad = await service.check(
        module / "user.go", None, hole(MODULE["user.go"]), hole(MODULE["user.go"]), ["t.Use()", "t.Lose()"]
    )
    assert (good.status, good.errors) == ("ok", ())
    assert bad.status == "error"
    (error,) = bad.errors
    assert (error.line, error.col, error.insert_offset) == (4, 4, 2)
    assert "t.Lose undefined" in error.message


async def test_offsets_count_bytes(service: TypeService, module: Path) -> None:
    text = 'package tools\n\nvar s = "zwölf €"\n\nfunc use(t *Tool) {\n\t\n}\n'
    at = len(text[: hole(text)].encode())
    (verdict,) = await service.check(module / "user.go", text, at, at, ["zz()"])
    assert [(e.line, e.col, e.insert_offset) for e in verdict.errors] == [(6, 2, 0)]


async def test_decodes_unfinished_and_missing_imports(service: TypeService, module: Path) -> None:
    at = hole(MODULE["user.go"])
    unused, missing = await service.check(module / "user.go", None, at, at, ["x := 1", "fmt.Println()"])
    assert [(u.kind, u.final) for u in unused.unfinished] == [("unused_variable", False)]
    assert missing.missing_imports == ("fmt",)


async def test_finds_missing_imports_when_given_time_for_it(service: TypeService, module: Path) -> None:
    at = hole(MODULE["user.go"])
    inserts = ["fmt.Println()", "t.Use()", "fmt.Printn()", "other.F()"]
    verdicts = await service.check(module / "user.go", None, at, at, inserts, import_budget_s=60)
    assert [(v.status, v.imports) for v in verdicts] == [
        ("ok", (ImportSpec("", "fmt"),)),
        ("ok", ()),
        ("error", ()),
        ("error", ()),
    ]
    assert [v.missing_imports for v in verdicts] == [(), (), ("fmt",), ("other",)]


async def test_says_why_no_import_was_chosen(service: TypeService, module: Path) -> None:
    at = hole(MODULE["user.go"])
    insert = ['_ = template.New("a")']
    (verdict,) = await service.check(module / "user.go", None, at, at, insert, import_budget_s=60)
    assert (verdict.status, verdict.reason) == ("error", "ambiguous import: html/template, text/template")


async def test_buffer_of_another_package_counts_until_it_is_closed(service: TypeService, module: Path) -> None:
    assert await statuses(service, module / "other/other.go", "t.Sharpen()") == ["error"]
    await service.overlay(module / "tools.go", MODULE["tools.go"] + "\nfunc (t *Tool) Sharpen() {}\n")
    assert await statuses(service, module / "other/other.go", "t.Sharpen()") == ["ok"]
    await service.close_file(module / "tools.go")
    assert await statuses(service, module / "other/other.go", "t.Sharpen()") == ["error"]


async def test_text_given_with_a_check_stays_the_buffer(service: TypeService, module: Path) -> None:
    text = MODULE["user.go"].replace("t *Tool", "u *Tool")
    assert await statuses(service, module / "user.go", "u.Use()", "t.Use()", text=text) == ["ok", "error"]
    assert await statuses(service, module / "user.go", "u.Use()") == ["ok"]


async def test_killed_service_is_started_again_with_its_buffers(service: TypeService, module: Path) -> None:
    await service.overlay(module / "tools.go", MODULE["tools.go"] + "\nfunc (t *Tool) Sharpen() {}\n")
    assert await statuses(service, module / "user.go", "t.Sharpen()") == ["ok"]
    assert service.pid is not None
    os.kill(service.pid, signal.SIGTERM)
    await asyncio.sleep(0.1)
    assert await statuses(service, module / "user.go", "t.Sharpen()") == ["ok"]
    assert (await service.stats()).restarts == 1


async def test_says_when_an_opened_package_is_ready(module: Path, binaries: Path) -> None:
    ready: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
    service = await TypeService.start(
        module, cache_dir=binaries, on_ready=lambda directory, _ms: ready.set_result(directory)
    )
    await service.open(module / "other")
    assert await asyncio.wait_for(ready, 60) == module / "other"
    assert (await service.stats()).packages > 0
    await service.aclose()


async def test_unloaded_package_is_unknown_with_the_reason(service: TypeService, module: Path) -> None:
    at = hole(MODULE["user.go"])
    (verdict,) = await service.check(module / "user.go", None, at, at, ["t.Use()"], loading_limit_s=0.001)
    assert (verdict.status, verdict.reason) == ("unknown", "loading")


async def test_offset_past_the_end_is_a_source_error(service: TypeService, module: Path) -> None:
    with pytest.raises(SourceError, match=r"user\.go.*offsets"):
        await service.check(module / "user.go", None, 10_000, 10_000, ["x"])


async def test_facts_and_members_speak_of_the_place(service: TypeService, module: Path) -> None:
    facts = await service.facts(module / "user.go", hole(MODULE["user.go"]))
    assert facts is not None
    assert facts.function == "func use(t *Tool)"
    (tool,) = facts.in_play
    assert (tool.name, tool.role, tool.variable, tool.standard) == ("Tool", "param", "t", False)
    assert "Name string" in tool.declaration
    assert await service.facts(module / "user.go", 0) is None
    written = "package tools\n\nfunc use(other *Tool) {\n\t\n}\n"
    facts = await service.facts(module / "user.go", written.index("\t") + 1, written)
    assert facts is not None
    assert [one.variable for one in facts.in_play] == ["other"]
    await service.overlay(module / "user.go", "package tools\n\nfunc use(t *Tool) {\n\tt.\n}\n")
    members = await service.members(module / "user.go", len("package tools\n\nfunc use(t *Tool) {\n\tt."))
    assert [m["name"] for m in members["members"]] == ["Name", "Use"]


async def test_process_ends_when_its_input_closes(service: TypeService) -> None:
    pid = service.pid
    assert pid is not None
    await service.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_closed_service_says_so(service: TypeService, module: Path) -> None:
    await service.aclose()
    with pytest.raises(CheckerUnavailable, match="closed"):
        await service.overlay(module / "user.go", "package tools\n")


async def test_missing_go_names_the_cure(module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CheckerUnavailable, match="Install Go"):
        await TypeService.start(module, cache_dir=tmp_path)


async def test_missing_root_is_an_error_not_a_hang(tmp_path: Path, binaries: Path) -> None:
    with pytest.raises(CheckerUnavailable, match="does not start"):
        await TypeService.start(tmp_path / "gone", cache_dir=binaries)


async def test_two_builders_at_once_both_get_a_working_binary(tmp_path: Path) -> None:
    first, second = await asyncio.gather(
        asyncio.to_thread(build_type_service, tmp_path), asyncio.to_thread(build_type_service, tmp_path)
    )
    assert first == second
    assert [p.name for p in (tmp_path / "typeservice").iterdir()] == [first.name]


def test_failing_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "go"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = version ]; then echo "go version go1.99"; exit 0; fi\n'
        'echo "no space left on device" >&2\nexit 1\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(fake.parent))
    with pytest.raises(CheckerUnavailable, match="no space left"):
        build_type_service(tmp_path / "cache")
    assert list((tmp_path / "cache" / "typeservice").iterdir()) == []
