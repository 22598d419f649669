"""The whole chain on a tiny model: from a directory of Go to files that the server loads."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from goassist_lsp.cli import main
from goassist_lsp.cli.train import dedup
from goassist_models.data.shards import digest_of
from goassist_models.data.stack import COLUMNS, stack_files
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt
from goassist_models.train.roundtrip import compare

RECIPE = """
name = "chain"
base = "{base}"
context_tokens = 200
[collect]
sources = ["std/container", "std/mime"]
[samples]
forms = {{ joined = 0.7, anchored = 0.3 }}
max_tokens = 1200
max_middle_tokens = 300
[sft]
rank = 4
max_steps = 4
evaluate_every = 2
held_out = 4
max_tokens = 1200
[preference]
mutated = 6
natural = 2
max_new_tokens = 8
[dpo]
max_steps = 2
max_tokens = 1400
[export]
types = ["Q8_0"]
importance_tokens = 0
"""


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, stage by stage, as from the command line."""
    folder = tmp_path_factory.mktemp("run")
    recipe = folder / "chain.toml"
    recipe.write_text(RECIPE.format(base=base))
    out = folder / "out"
    with pytest.MonkeyPatch.context() as patch:
        # All modules that evaluations ask for would have to be downloaded.
        patch.setattr(dedup, "asked_tasks", lambda: {"std.jsonl": "held-out standard library"})
        for stage in ("collect", "licence", "gate", "dedup", "samples", "sft", "pairs", "dpo"):
            assert main(["train", stage, "--recipe", str(recipe), "--out", str(out)]) == 0, stage
        assert main(["train", "export", "--keep-f16", "--out", str(out)]) == 0
    return out


def exported(run: Path, name: str) -> Path:
    return run / "export" / "dpo" / f"chain-dpo-{name}.gguf"


def greedy(path: Path, prompts: list[str], adapter: Path | None = None) -> list[list[int]]:
    """What llama.cpp says to each prompt, as token ids."""

    async def said() -> list[list[int]]:
        settings = LlamaSettings(n_ctx=512, threads=1, preflight=False, adapter=adapter)
        engine = await LlamaEngine.load(path, settings)
        try:
            found = []
            for prompt in prompts:
                request = GenerateRequest(InfillPrompt(FORMS["psm"], prefix=prompt, suffix="}\n"), max_tokens=6)
                (one,) = await engine.generate(request, CancelToken())
                found.append([step.token for step in one.steps])
            return found
        finally:
            await engine.close()

    return asyncio.run(said())


PROMPTS = [f"func f{n}(n int) int {{\n\treturn {'n + ' * (n % 5)}" for n in range(20)]


def test_the_exported_model_says_what_transformers_says(run: Path, weights: Path) -> None:
    prompts = [InfillPrompt(FORMS["psm"], prefix=prompt, suffix="}\n") for prompt in PROMPTS]
    found = asyncio.run(compare(weights, run / "dpo" / "adapter", exported(run, "f16"), prompts, 6))
    assert [one for one in found if not one.same and not one.tied] == []
    assert sum(one.same for one in found) >= len(PROMPTS) - 2
    assert sum(len(one.file) for one in found) >= 2 * len(PROMPTS)


def test_a_file_of_other_weights_is_told_apart(run: Path, weights: Path) -> None:
    prompts = [InfillPrompt(FORMS["psm"], prefix=prompt, suffix="}\n") for prompt in PROMPTS[:4]]
    other = run.parent / "other"
    if not other.is_dir():
        model: Any = AutoModelForCausalLM.from_pretrained(str(weights))
        with torch.no_grad():
            for layer in model.model.layers:
                layer.mlp.down_proj.weight.mul_(-3)
        model.save_pretrained(other)
    found = asyncio.run(compare(other, None, exported(run, "f16"), prompts, 6))
    assert any(not one.same and one.margin > 0 and not one.tied for one in found)


def test_the_adapter_beside_its_base_says_what_the_merged_model_says(run: Path, base: Path) -> None:
    merged = greedy(exported(run, "f16"), PROMPTS)
    beside = greedy(base, PROMPTS, exported(run, "adapter"))
    same = sum(a == b for a, b in zip(merged, beside, strict=True))
    assert same >= len(PROMPTS) - 2  # F16 beside F32: a tie may fall the other way


def test_the_quantised_model_is_loaded_by_the_command_line(run: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    (tmp_path / "m.go").write_text("package m\n\nfunc F() int {\n\treturn \n}\n")
    for model in (exported(run, "q8_0"), f"{exported(run, 'f16')}+{run / 'export/sft/chain-sft-adapter.gguf'}"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GOASSIST_MODEL", str(model))
            assert main(["complete", f"{tmp_path / 'm.go'}:4:9", "--json"]) in (0, 1)
        assert "candidates" in json.loads(capsys.readouterr().out)


def test_a_stage_that_is_done_is_not_done_again(run: Path) -> None:
    before = digest_of(run / "samples"), (run / "sft" / "history.json").stat().st_mtime_ns
    for stage in ("samples", "sft", "pairs", "dpo"):
        assert main(["train", stage, "--out", str(run)]) == 0
    assert (digest_of(run / "samples"), (run / "sft" / "history.json").stat().st_mtime_ns) == before


def test_two_processes_train_together(run: Path, tmp_path: Path) -> None:
    for part in ("samples", "held-out"):
        shutil.copytree(run / part, tmp_path / part)
    shutil.copyfile(run / "recipe.toml", tmp_path / "recipe.toml")
    two = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    two += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [sys.executable, *two, "-m", "goassist_lsp.cli", "train", "sft", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    alone, together = (json.loads((out / "sft" / "result.json").read_text()) for out in (run, tmp_path))
    assert together["steps"] == alone["steps"] == 4
    assert together["before"] == pytest.approx(alone["before"], rel=1e-3)
    assert (tmp_path / "sft" / "adapter" / "adapter_model.safetensors").is_file()


def test_the_accelerate_configuration_can_be_read() -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    path = Path(__file__).parent.parent.parent / "models" / "recipes" / "accelerate.yaml"
    found: Any = load_config_from_file(str(path))
    assert (str(found.distributed_type.value), found.num_processes, found.mixed_precision) == ("MULTI_GPU", 2, "bf16")


@pytest.mark.parametrize(
    ("flags", "names"),
    [((), ("base", "SFT", "DPO")), (("--adapters",), ("base", "DPO adapter")), (("--quantised",), ("F16", "Q8_0"))],
)
def test_the_table_compares_on_the_same_holes(
    run: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert main(["train", "evaluate", "--infill", "0", "--likelihood", "3", "--out", str(run), *flags]) == 0
    told = capsys.readouterr().out
    assert "likelihood: 3 holes in 3 functions" in told
    assert f"{names[-1]}, joined: " in told
    table = (run / ("quantised.md" if flags == ("--quantised",) else "evaluation.md")).read_text().splitlines()
    assert all(f"| {name} |" in table[0] for name in names)
    assert {line.split("|")[1].strip() for line in table[2:5]} == {
        f"bits a byte, {f}" for f in ("joined", "anchored", "psm")
    }


def test_an_export_can_be_checked(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "export", "--check", "3", "--out", str(run)]) == 0
    told = capsys.readouterr().out
    found = re.search(r"(\d) of 3 greedy texts are the same", told)
    assert found is not None
    assert int(found[1]) + told.count(" nats, a tie\n") == 3


def test_pairs_share_their_prompt_and_differ_at_once(run: Path) -> None:
    pairs = [json.loads(line) for line in (run / "pairs" / "pairs.jsonl").read_text().splitlines()]
    assert len(pairs) >= 4
    assert all(pair["chosen"][0] != pair["rejected"][0] for pair in pairs)
    assert {pair["source"] for pair in pairs} >= {"mutated"}


def row(**changes: object) -> Mapping[str, object]:
    values = {
        "blob_id": "b" * 40, "repo_name": "someone/tool", "path": "/a.go", "detected_licenses": ["MIT"],
        "license_type": "permissive", "src_encoding": "UTF-8", "is_vendor": False,
        "content": "package a\n\nfunc A() int {\n\treturn 1\n}\n",
    }  # fmt: skip
    return values | changes


def test_reads_shards_of_the_stack_and_says_why_a_row_is_out(tmp_path: Path) -> None:
    from datasets import Dataset

    rows = [
        row(),
        row(path="/b.go", license_type="no_license"),
        row(path="/c.go", repo_name="uber-go/zap"),
        row(path="/d.go", is_vendor=True),
        row(path="/e.go", content="package ("),
    ]
    Dataset.from_list([dict(r) for r in rows]).to_parquet(str(tmp_path / "shard.parquet"))
    files = list(stack_files(str(tmp_path / "shard.parquet")))
    assert [file.dropped for file in files] == [
        "",
        "collect: licence type no_license",
        "collect: blocked: github.com/uber-go/zap",
        "collect: vendored",
        "collect: syntax error",
    ]
    assert (files[0].module, files[0].declared, files[0].functions[0].name) == (
        "github.com/someone/tool",
        ("MIT",),
        "A",
    )
    assert set(COLUMNS) <= row().keys()
