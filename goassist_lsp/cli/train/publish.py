"""`train publish`: the model card and the registry's row, written from the run's records. Nothing is uploaded."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from goassist_index.errors import ConfigError
from goassist_lsp.cli.train.export import TRAINED
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_models.data.report import STAGES, data_report
from goassist_models.data.shards import write_whole
from goassist_models.train.card import Records, model_card, registry_entry

CARD, ENTRY = "README.md", "registry-entry.toml"
_LICENCE = "Apache-2.0"


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("publish", help="write the model card and the registry's row; nothing is uploaded")
    add_arguments(parser)
    parser.add_argument("--of", choices=TRAINED, help="which stage's files (default: the last that was exported)")
    parser.add_argument("--repository", metavar="OWNER/NAME", required=True, help="where the file will be had from")
    parser.add_argument("--title", help="what `model list` shows (default: the recipe's name and the quantisation)")
    parser.add_argument("--licence", default=_LICENCE, help=f"SPDX name of the weights' licence (default {_LICENCE})")
    parser.add_argument("--add-to", type=Path, metavar="FILE", help="append the row to this registry.toml too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: card and row lie beside the exported files, and the row is printed."""
    the_run = TrainingRun.of(args)
    stage = args.of or next((name for name in TRAINED if _exported(the_run, name)), "")
    files = _exported(the_run, stage) if stage else []
    if not files:
        raise ConfigError("nothing has been exported", path=str(the_run.out), cure="Run `train export` first")
    data = data_report(the_run.out) if any(list(the_run.stage(s).glob("*.jsonl")) for s in STAGES) else None
    text = the_run.recipe_text()
    card = model_card(Records(the_run.out, the_run.recipe, text, data, the_run.minutes(), files), args.licence)
    name = f"{the_run.recipe.name}-{stage}"
    title = args.title or f"{the_run.recipe.name}, {the_run.recipe.export.types[0]}"
    entry = registry_entry(files[0], name=name, title=title, licence=args.licence, repository=args.repository)
    folder = files[0].parent
    write_whole(folder / CARD, card)
    write_whole(folder / ENTRY, entry)
    if args.add_to is not None:
        _add(args.add_to, name, entry)
    print(entry, end="")
    print(f"the card: {folder / CARD}")
    return 0


def _exported(the_run: TrainingRun, stage: str) -> list[Path]:
    """GGUF files of a stage, the one that is served first; none where its models have not been made."""
    folder = the_run.stage("export") / stage
    served = folder / f"{the_run.recipe.name}-{stage}-{the_run.recipe.export.types[0].lower()}.gguf"
    if not served.is_file():
        return []
    return [served, *sorted(path for path in folder.glob(f"{the_run.recipe.name}-*.gguf") if path != served)]


def _add(registry: Path, name: str, entry: str) -> None:
    """Append a row. Raises ConfigError when the file is no registry, or has a row of that name."""
    try:
        text = registry.read_text(encoding="utf-8")
        rows = tomllib.loads(text).get("model", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"it is no registry ({error})", path=str(registry), cure="Name a registry.toml") from error
    if any(row.get("name") == name for row in rows):
        raise ConfigError(f"it has a row named {name} already", path=str(registry), cure="Remove that row first")
    write_whole(registry, f"{text.rstrip()}\n\n{entry}")
