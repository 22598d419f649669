"""Claims about goassist_models.evaluate.history: cases from a repository's own commits, with git and Go themselves."""

import os
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError
from goassist_models.evaluate.commits import Repository
from goassist_models.evaluate.example import Answer, Edit
from goassist_models.evaluate.history import ELSEWHERE, History, HistoryCase, history_cases, judge_of, tree_before
from goassist_models.evaluate.scores import score
from support.repository import ADDED, MAIN, commit, git, started

SUFFIX = "package tool\n\nfunc Suffix(words []string) string {\n\tn := len(words)\n\treturn words[n-1]\n}\n"


def cases_of(repository: Path, tmp_path: Path, limit: int = 20, seed: int = 1) -> History:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    found = history_cases(repository, scratch, limit, seed)
    assert list(scratch.iterdir()) == []
    return found


def judged(found: History, case: HistoryCase, tmp_path: Path, text: str) -> bool | None:
    """What evaluation says of a system that inserts `text`, on the tree as it was."""
    with tree_before(found.repository, case, tmp_path / "scratch" / "tree") as module:
        question = case.question(module)
        answer = Answer((Edit(question.offset, question.offset, text),))
        return score(case.case, question, answer, judge_of(module, case.case.file)).compiles


def test_an_added_function_is_asked_about_in_the_tree_before_it(tmp_path: Path) -> None:
    repository = started(tmp_path)
    sha = commit(repository, "add", {"main.go": MAIN + ADDED})
    found = cases_of(repository, tmp_path)
    (one,) = found.cases  # one a function
    assert (one.commit.sha, one.commit.subject, one.case.function) == (sha, "add", "Longest")
    assert one.case.module == f"example.com/tool@{sha[:12]}"
    assert (one.case.kind, one.case.truth) == ("body", ADDED.partition("{\n\t")[2].rpartition("\n}")[0])
    with tree_before(found.repository, one, tmp_path / "tree") as module:
        assert (module / "main.go").read_text() == MAIN
        question = one.question(module)
        assert question.path == module / "main.go"
        whole = question.text[: question.offset] + one.case.truth + question.text[question.offset :]
        assert whole == MAIN + ADDED
    assert not (tmp_path / "tree").exists()


def test_holes_lie_in_added_lines_only(tmp_path: Path) -> None:
    repository = started(tmp_path)
    line = "\twords = append(words, strings.Repeat(words[0], len(words)))\n"
    commit(repository, "line", {"main.go": MAIN.replace("\treturn", f"{line}\treturn")})
    for seed in range(4):
        (one,) = cases_of(repository, tmp_path, seed=seed).cases
        assert one.case.kind in ("line", "expression")
        assert one.case.truth in line
        assert one.source[: one.case.start].count(b"\n") == 5


def test_runs_of_added_statements_are_blocks(tmp_path: Path) -> None:
    repository = started(tmp_path)
    block = 'if len(words) == 0 {\n\t\treturn strings.Repeat("-", 3)\n\t}'
    commit(repository, "block", {"main.go": MAIN.replace("\treturn", f"\t{block}\n\treturn", 1)})
    kinds = {
        one.case.kind: one.case.truth for seed in range(6) for one in cases_of(repository, tmp_path, seed=seed).cases
    }
    assert kinds == {"block": block}  # the scarcest kind of those that the function offers


def test_the_truth_compiles_there_and_a_fault_does_not(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(repository, "add", {"main.go": MAIN + ADDED})
    found = cases_of(repository, tmp_path)
    (one,) = found.cases
    assert judged(found, one, tmp_path, one.case.truth) is True
    assert judged(found, one, tmp_path, one.case.truth.replace("longest", "nowhere", 1)) is False


def test_a_commit_that_needs_another_of_its_files_is_left_out_and_counted(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(
        repository,
        "two files",
        {
            "main.go": MAIN.replace("\treturn strings", "\twords = append(words, Suffix(words))\n\treturn strings"),
            "suffix.go": SUFFIX,
        },
    )
    found = cases_of(repository, tmp_path)
    assert [one.case.file for one in found.cases] == ["suffix.go"]  # a new file, which stands by itself
    assert found.discarded[ELSEWHERE] == 1
    with tree_before(found.repository, found.cases[0], tmp_path / "tree") as module:
        assert (module / "suffix.go").read_text() == "package tool\n"
        assert "Suffix" not in (module / "main.go").read_text()


def test_what_does_not_build_in_its_commit_is_told_apart(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(repository, "broken", {"main.go": MAIN + ADDED.replace("strings.TrimSpace", "nowhere")})
    commit(repository, "mended", {"main.go": MAIN + ADDED})
    found = cases_of(repository, tmp_path)
    assert [one.commit.subject for one in found.cases] == ["mended"]
    assert found.discarded["does not build"] == 1


def test_a_missing_dependency_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    repository = started(tmp_path)
    code = (
        'package dep\n\nimport "example.org/absent/thing"\n\nfunc F() int {\n\tn := thing.Size(1, 2)\n\treturn n\n}\n'
    )
    commit(repository, "dependency", {"dep/dep.go": code})
    commit(repository, "add", {"main.go": MAIN + ADDED})
    found = cases_of(repository, tmp_path)
    assert [one.commit.subject for one in found.cases] == ["add"]
    assert found.discarded["its dependencies cannot be had"] == 1


def test_a_renamed_file_is_asked_about_under_its_new_name(tmp_path: Path) -> None:
    repository = started(tmp_path)
    longer = MAIN + ADDED
    commit(repository, "longer", {"main.go": longer})
    line = "\twords = append(words, strings.Repeat(words[0], len(words)))\n"
    commit(repository, "rename", {"main.go": None, "words.go": longer.replace("\treturn s", f"{line}\treturn s", 1)})
    found = cases_of(repository, tmp_path)
    one = next(one for one in found.cases if one.commit.subject == "rename")
    assert (one.case.file, one.case.function) == ("words.go", "Upper")  # Longest was only moved
    with tree_before(found.repository, one, tmp_path / "tree") as module:
        assert [p.name for p in module.glob("*.go")] == ["words.go"]
        assert (module / "words.go").read_text() == longer
    assert judged(found, one, tmp_path, one.case.truth) is True


def test_lines_that_were_moved_were_not_written(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(repository, "longer", {"main.go": MAIN + ADDED})
    commit(repository, "move", {"main.go": MAIN, "longest.go": f'package tool\n\nimport "strings"\n{ADDED}'})
    found = cases_of(repository, tmp_path)
    assert {one.commit.subject for one in found.cases} == {"longer"}
    assert found.discarded["no line added in a function"] == 2


def test_generated_vendored_and_test_data_files_are_left_out(tmp_path: Path) -> None:
    repository = started(tmp_path)
    function = "package x\n\nfunc F(n int) int {\n\tm := n + 1\n\treturn m\n}\n"
    generated = f"// Code generated by hand. DO NOT EDIT.\n\n{function}"
    commit(repository, "all", {"x/x.go": generated, "vendor/v/v.go": function, "testdata/t.go": function})
    with pytest.raises(GoassistError, match=r"no case can be made .* generated \(1\)"):
        cases_of(repository, tmp_path)


def test_merges_and_root_commits_are_left_out(tmp_path: Path) -> None:
    repository = started(tmp_path)
    git(repository, "checkout", "-q", "-b", "side")
    side = commit(repository, "side", {"main.go": MAIN + ADDED})
    git(repository, "checkout", "-q", "main")
    other = ADDED.replace("Longest", "Widest")
    main = commit(repository, "main", {"other.go": f'package tool\n\nimport "strings"\n{other}'})
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "side")
    found = cases_of(repository, tmp_path)
    assert {one.commit.sha for one in found.cases} == {side, main}


def test_the_second_hole_of_a_commit_comes_after_the_first_of_each(tmp_path: Path) -> None:
    repository = started(tmp_path)
    two = ADDED + ADDED.replace("Longest", "Widest")
    commit(repository, "two", {"main.go": MAIN + two})
    commit(repository, "one", {"main.go": MAIN + two + ADDED.replace("Longest", "Broadest")})
    assert [one.commit.subject for one in cases_of(repository, tmp_path, limit=2).cases] == ["one", "two"]
    three = cases_of(repository, tmp_path, limit=9).cases
    assert [one.commit.subject for one in three] == ["one", "two", "two"]
    assert {one.case.function for one in three} == {"Longest", "Widest", "Broadest"}
    assert len({one.case.kind for one in three}) > 1


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    repository = started(tmp_path)
    for number in range(3):
        commit(
            repository,
            str(number),
            {f"f{number}.go": f'package tool\n\nimport "strings"\n{ADDED}'.replace("Lo", f"L{number}")},
        )
    keys = [[one.case.key for one in cases_of(repository, tmp_path, limit=2, seed=s).cases] for s in (1, 1, 2, 3, 4)]
    assert keys[0] == keys[1]
    assert any(other != keys[0] for other in keys[2:])


def test_a_module_in_a_subdirectory_is_found_from_above_and_from_within(tmp_path: Path) -> None:
    repository = started(tmp_path, "deep/er/")
    commit(
        repository,
        "add",
        {
            "deep/er/main.go": MAIN + ADDED,
            "loose.go": "package loose\n\nfunc F(n int) int {\n\tm := n\n\treturn m\n}\n",
        },
    )
    found = cases_of(repository, tmp_path)
    assert [(one.module, one.case.file) for one in found.cases] == [("deep/er", "main.go")]
    assert found.discarded["in no module before the commit"] == 1
    within = cases_of(repository / "deep", tmp_path)
    assert within.cases == found.cases
    assert not within.discarded["in no module before the commit"]


def test_a_file_for_another_system_is_not_taken_for_one_that_compiles(tmp_path: Path) -> None:
    repository = started(tmp_path)
    text = f'//go:build plan9\n\npackage tool\n\nimport "strings"\n{ADDED}'
    commit(repository, "plan9", {"plan9.go": text, "main.go": MAIN + ADDED})
    found = cases_of(repository, tmp_path)
    assert [one.case.file for one in found.cases] == ["main.go"]
    assert found.discarded["in no package that is built on this machine"] == 1


def test_test_files_are_compiled_as_tests(tmp_path: Path) -> None:
    repository = started(tmp_path)
    text = 'package tool_test\n\nimport (\n\t"testing"\n\n\t"example.com/tool"\n)\n'
    text += "\nfunc TestUpper(t *testing.T) {\n\tgot := tool.Upper(nil)\n\tt.Log(len(got))\n}\n"
    commit(repository, "test", {"main_test.go": text})
    commit(repository, "with code", {"main.go": MAIN + ADDED, "more_test.go": text.replace("Upper", "Longest")})
    found = cases_of(repository, tmp_path)
    assert [one.case.file for one in found.cases] == ["main.go", "main_test.go"]
    assert found.discarded[ELSEWHERE] == 1
    assert judged(found, found.cases[1], tmp_path, found.cases[1].case.truth) is True
    assert judged(found, found.cases[1], tmp_path, "nowhere") is False


def test_uncommitted_work_is_ignored_and_the_repository_stays_as_it_is(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(repository, "add", {"main.go": MAIN + ADDED})
    (repository / "main.go").write_text("package tool\n\nfunc Half( {\n")
    (repository / "new.go").write_text("not Go\n")
    hook = repository / ".git/hooks/post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch '{repository}/ran'\n")
    hook.chmod(0o755)
    before = snapshot(repository)
    assert len(cases_of(repository, tmp_path).cases) == 1
    assert snapshot(repository) == before


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file's size and time of change."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            stat = (Path(folder) / name).stat()
            found[str(Path(folder) / name)] = (stat.st_size, stat.st_mtime_ns)
    return found


def test_a_shallow_clone_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    repository = started(tmp_path)
    commit(repository, "one", {"main.go": MAIN + ADDED})
    last = commit(repository, "two", {"main.go": MAIN + ADDED + ADDED.replace("Longest", "Widest")})
    for depth, expected in ((2, [last]), (1, [])):
        clone = tmp_path / f"clone{depth}"
        git(tmp_path, "clone", "-q", "--depth", str(depth), repository.as_uri(), str(clone))
        if expected:
            assert [one.commit.sha for one in cases_of(clone, tmp_path).cases] == expected
            continue
        with pytest.raises(GoassistError, match="fetch more of it"):
            cases_of(clone, tmp_path)


@pytest.mark.parametrize("export", ["*.go export-ignore\n", "* text eol=crlf\n"])
def test_attributes_keep_no_file_out_of_the_tree(tmp_path: Path, export: str) -> None:
    repository = started(tmp_path)
    commit(repository, "attributes", {".gitattributes": export})
    commit(repository, "add", {"main.go": MAIN + ADDED})
    (one,) = cases_of(repository, tmp_path).cases
    assert one.commit.subject == "add"


def test_what_cannot_be_a_history_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        Repository.open(tmp_path / "absent")
    with pytest.raises(ConfigError, match="git cannot read it"):
        Repository.open(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    with pytest.raises(ConfigError, match="has no commit"):
        Repository.open(empty)
    commit(empty, "one", {"a.txt": "1\n"})
    commit(empty, "two", {"a.txt": "2\n"})
    with pytest.raises(GoassistError, match="no recent commit changes a Go file"):
        cases_of(empty, tmp_path)
    commit(empty, "three", {"a.go": "package a\n\nfunc F(n int) int {\n\tm := n\n\treturn m\n}\n"})
    with pytest.raises(GoassistError, match="in no module"):
        cases_of(empty, tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="no git is on PATH"):
        Repository.open(empty)
