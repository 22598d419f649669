"""An editor that will be killed: starts the fake server, says the ids of server and helper process, and waits."""

from __future__ import annotations

import asyncio
import os
import sys

from support.lsp_client import FAKE_SERVER, LspClient


async def main() -> None:
    client = await LspClient.start(FAKE_SERVER, {"FAKE_CHILD": "1"})
    await client.initialize(process_id=os.getpid())
    status = await client.command("goassist.status")
    print(client.process.pid, status["child"], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
