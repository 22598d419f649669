/** Joins the parts: one server for all Go files of the window, its ghost text, its item in the status bar. */
import * as vscode from "vscode";
import { Acceptance } from "./accept";
import { registerCommands } from "./commands";
import { Notices } from "./notices";
import { Reading } from "./reading";
import { Server } from "./server";
import { Status } from "./status";
import { Suggestions } from "./suggest";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("goassist", { log: true });
  const status = new Status();
  const notices = new Notices();
  const reading = new Reading();
  const suggestions = new Suggestions(status);
  const acceptance = new Acceptance(suggestions);
  const started = new Server(context, log, status, notices, suggestions, acceptance);
  server = started;
  status.explanation = () => started.explanation();
  status.pausedHere = (document) => suggestions.pausedIn(document);
  registerCommands({ context, server: started, status, notices, suggestions, acceptance, reading });
  context.subscriptions.push(
    log,
    status,
    reading,
    started,
    vscode.window.onDidChangeActiveTextEditor(() => status.draw()),
    vscode.workspace.onDidOpenTextDocument((document) => started.addFolder(document)),
    vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration("goassist.server") && started.restart()),
  );
  // Nobody waits for it: the editor goes on while the server starts.
  void started.start();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
