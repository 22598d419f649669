/** Where the server's program is. */
import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import * as vscode from "vscode";

const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "goassist-lsp.exe" : "goassist-lsp";

/** Programs of an environment made by Python's venv. */
export function programOf(environment: string, name: string): string {
  return WINDOWS ? join(environment, "Scripts", `${name}.exe`) : join(environment, "bin", name);
}

/** The environment that the extension makes for the server, if the user wants one. */
export function ownEnvironment(context: vscode.ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

export interface Found {
  /** Absolute path of the program; undefined where there is none. */
  readonly program: string | undefined;
  readonly looked: readonly string[];
}

/** The setting alone where it is given; else PATH, the extension's own environment, and where pip, pipx and uv put it. */
export async function findServer(context: vscode.ExtensionContext): Promise<Found> {
  const given = vscode.workspace.getConfiguration("goassist").get<unknown>("server");
  const home = homedir();
  const looked =
    typeof given === "string" && given.trim() !== ""
      ? [given.trim().replace(/^~(?=[/\\])/, home)]
      : [PROGRAM, programOf(ownEnvironment(context), "goassist-lsp"), join(home, ".local", "bin", PROGRAM)];
  for (const name of looked) {
    const program = await executable(name);
    if (program) {
      return { program, looked };
    }
  }
  return { program: undefined, looked };
}

/** The absolute path of a program that can be run, looked for on PATH where the name is no path. */
export async function executable(name: string): Promise<string | undefined> {
  const folders = isAbsolute(name) ? [""] : (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      await access(path, WINDOWS ? constants.F_OK : constants.X_OK);
      return path;
    } catch {
      // Not there: the next folder may have it.
    }
  }
  return undefined;
}
