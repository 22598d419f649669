/** Programs that are run to their end. */
import { spawn } from "node:child_process";
import type * as vscode from "vscode";

export interface Ran {
  /** Exit status; null when it was ended by a signal. */
  readonly status: number | null;
  readonly out: string;
  /** Standard error's last lines. */
  readonly said: string;
}

const KEPT_LINES = 30;

/** Run a program; `line` gets each line of its standard error as it comes. Throws when it cannot be started. */
export function run(
  program: string,
  args: readonly string[],
  more: { line?: (text: string) => void; token?: vscode.CancellationToken; cwd?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: more.cwd, stdio: ["ignore", "pipe", "pipe"] });
    const cancelling = more.token?.onCancellationRequested(() => child.kill());
    const lines: string[] = [];
    let out = "";
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split(/\r?\n|\r/);
      rest = parts.pop() ?? "";
      for (const part of parts) {
        lines.push(part);
        more.line?.(part);
      }
    });
    child.on("error", (error) => {
      cancelling?.dispose();
      reject(error);
    });
    child.on("close", (status) => {
      cancelling?.dispose();
      resolve({ status, out, said: [...lines, rest].slice(-KEPT_LINES).join("\n").trim() });
    });
  });
}
