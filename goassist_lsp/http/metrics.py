"""Figures for Prometheus. Labels hold no names of clients, files or models: their number is bounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 160)


class Metrics:
    """One server's figures."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter("goassist_requests", "Requests answered", ["endpoint", "status"], registry=registry)
        self.seconds = Histogram(
            "goassist_request_seconds",
            "Seconds to the end of an answer",
            ["endpoint"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.first_text = Histogram(
            "goassist_first_text_seconds", "Seconds to the first text of an answer", buckets=_SECONDS, registry=registry
        )
        self.tokens = Counter("goassist_tokens", "Tokens: of prompts, and generated", ["kind"], registry=registry)
        self.verdicts = Counter("goassist_verdicts", "Answers held to the compiler", ["verdict"], registry=registry)
        self.tests = Counter("goassist_test_runs", "Answers held to tests", ["status"], registry=registry)
        self.hung_up = Counter("goassist_hung_up", "Clients that left before their answer's end", registry=registry)
        self.running = Gauge("goassist_running", "Requests that are being answered", registry=registry)
        self.waiting = Gauge("goassist_waiting", "Requests in the queue", registry=registry)

    def exposition(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)
