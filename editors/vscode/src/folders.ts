/** Which files are ours, and the modules of those that are open without their folder. */
import { dirname } from "node:path";
import * as vscode from "vscode";

/** Files of the machine: the Go toolchain reads no others. */
export const GO_FILES = { scheme: "file", language: "go" };

/** The folder of the nearest go.work or go.mod above a file outside the workspace, or its own; undefined inside it. */
export async function rootOutside(file: vscode.Uri): Promise<vscode.Uri | undefined> {
  if (vscode.workspace.getWorkspaceFolder(file)) {
    return undefined;
  }
  for (const name of ["go.work", "go.mod"]) {
    for (let folder = dirname(file.fsPath); ; folder = dirname(folder)) {
      const there = vscode.Uri.joinPath(vscode.Uri.file(folder), name);
      try {
        await vscode.workspace.fs.stat(there);
        return vscode.Uri.file(folder);
      } catch {
        // Not there: one folder up.
      }
      if (dirname(folder) === folder) {
        break;
      }
    }
  }
  return vscode.Uri.file(dirname(file.fsPath));
}
