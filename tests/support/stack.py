"""The program that the real model completes in end-to-end tests: one of its two files, and what starts the server."""

from __future__ import annotations

import sys

SERVER = [sys.executable, "-W", "error", "-m", "goassist_lsp.cli", "--stdio"]
GO_MOD = "module example.com/stack\n\ngo 1.23\n"
STACK = """package main

type Stack struct{ items []string }

func (s *Stack) Push(item string) { s.items = append(s.items, item) }
"""
