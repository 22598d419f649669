"""Deployment files: valid for those who read them, and with command lines that the programs take."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from goassist_index.gotools import run_go
from goassist_lsp import cli
from goassist_models.evaluate.peers import llama_server

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE_CHECKER = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def containers() -> dict[str, dict[str, Any]]:
    found = {}
    for path in MANIFESTS:
        for document in documents(path):
            if document["kind"] == "Deployment":
                (container,) = document["spec"]["template"]["spec"]["containers"]
                found[document["metadata"]["name"]] = container
    return found


def command_of(unit: Path) -> list[str]:
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart=/usr/bin/env "))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path: Path) -> None:
    found = documents(path)
    assert found
    for document in found:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_kustomization_names_every_manifest() -> None:
    (kustomization,) = documents(DEPLOY / "kubernetes" / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]


def test_services_select_pods_that_there_are() -> None:
    everything = [document for path in MANIFESTS for document in documents(path)]
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in everything if d["kind"] == "Deployment"]
    selectors = [d["spec"]["selector"] for d in everything if d["kind"] == "Service"]
    assert selectors
    assert all(selector in labels for selector in selectors)
    assert {"app": "vllm"} in labels, "what the router looks for"


def test_compose_file_is_what_compose_takes() -> None:
    done = run_go(["run", COMPOSE_CHECKER, str(COMPOSE)], COMPOSE.parent)
    assert done.ok, done.output
    assert "goassist" in done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here to verify its units")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_what_systemd_takes(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []


def test_command_lines_are_ours() -> None:
    compose = documents(COMPOSE)[0]["services"]["goassist"]["command"]
    serve = command_of(DEPLOY / "systemd" / "goassist-serve.service")
    assert serve[:2] == ["goassist-lsp", "serve"]
    for arguments in (compose, containers()["goassist"]["args"], serve[2:]):
        args = cli.parser(["serve"]).parse_args(["serve", *arguments])
        assert args.keys is not None or args.host == "127.0.0.1"


def test_model_is_served_alike_everywhere() -> None:
    services = documents(COMPOSE)[0]["services"]
    assert containers()["vllm"]["args"] == services["vllm"]["command"]
    wanted = {"--max-model-len=8192", "--gpu-memory-utilization=0.90", "--enable-prefix-caching"}
    assert wanted <= set(services["vllm"]["command"])
    as_words = " ".join(services["llama-server"]["command"]).replace("=", " ")
    for flags in ("Q5_K_M", "--ctx-size 32768", "--parallel 4", "--rope-scaling none"):
        assert flags in as_words
        assert flags in " ".join(command_of(DEPLOY / "systemd" / "llama-server.service"))


@pytest.mark.skipif(llama_server.kept() is None, reason="the peer's server is not built (a run with --llama-vim does)")
def test_llama_server_knows_its_flags() -> None:
    said = subprocess.run([str(llama_server.kept()), "--help"], capture_output=True, text=True, check=False).stdout
    flags = [word for word in command_of(DEPLOY / "systemd" / "llama-server.service") if word.startswith("--")]
    assert flags
    assert [flag for flag in flags if flag not in said] == []
