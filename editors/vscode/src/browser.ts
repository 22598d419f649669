/** What a browser without a machine behind it gets: the word that this cannot work there. */
import * as vscode from "vscode";

export function activate(): void {
  void vscode.window.showInformationMessage(
    "goassist cannot run in a browser alone: its model and the Go toolchain need a machine. Open the folder in VS Code on your desktop, by Remote-SSH, in WSL or in a dev container.",
  );
}
