/** The extension's commands and its menu. */
import * as vscode from "vscode";
import type { Acceptance } from "./accept";
import { findServer } from "./find";
import { buildLibrary, fetchModel, installServer } from "./install";
import type { Notices } from "./notices";
import type { Reading } from "./reading";
import { run } from "./run";
import type { Server } from "./server";
import type { Status } from "./status";
import type { Suggestions } from "./suggest";

const PAUSE_MINUTES = 10;

interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly server: Server;
  readonly status: Status;
  readonly notices: Notices;
  readonly suggestions: Suggestions;
  readonly acceptance: Acceptance;
  readonly reading: Reading;
}

/** Join all of them. */
export function registerCommands(parts: Parts): void {
  const { context, server, status, suggestions, acceptance, reading } = parts;

  const commands: Record<string, () => unknown> = {
    "goassist.menu": () => menu(parts),
    "goassist.acceptWord": () => acceptance.take("word"),
    "goassist.acceptLine": () => acceptance.take("line"),
    "goassist.next": () => suggestions.cycle(1),
    "goassist.previous": () => suggestions.cycle(-1),
    "goassist.dismiss": () => vscode.window.activeTextEditor && suggestions.dismiss(vscode.window.activeTextEditor),
    "goassist.why": () => why(parts),
    "goassist.pauseMinutes": () => server.pause(PAUSE_MINUTES),
    "goassist.pauseFile": () => pauseFile(parts),
    "goassist.pauseLanguage": () => {
      suggestions.pausedLanguage = true;
      return silenced(status);
    },
    "goassist.resume": () => resume(parts),
    "goassist.readAnew": async () => {
      await server.command("goassist.reindex");
      void vscode.window.setStatusBarMessage("goassist: the workspaces were read anew", 5000);
    },
    "goassist.restart": () => server.restart(),
    "goassist.log": () => server.log.show(),
    "goassist.doctor": () => doctor(context, reading),
    "goassist.install": async () => {
      if (await installServer(context, server.log)) {
        await server.restart();
      }
    },
    "goassist.fetchModel": async () => {
      if (await fetchModel(context, server.log)) {
        await server.restart();
      }
    },
    "goassist.buildLibrary": async () => {
      await buildLibrary(context, server.log);
      await server.restart();
    },
    "goassist.getGo": () => vscode.env.openExternal(vscode.Uri.parse("https://go.dev/dl/")),
    "goassist.chooseServer": () => vscode.commands.executeCommand("workbench.action.openSettings", "goassist.server"),
  };
  for (const [name, action] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, action));
  }
}

async function why({ server, reading, status, notices }: Parts): Promise<void> {
  const text = await server.explanation();
  const silent = [`**Silent**: ${status.line()}.`, ...notices.problems.map((problem) => `- ${problem}`)].join("\n\n");
  await reading.show("Why this, why nothing", text ?? silent);
}

async function pauseFile({ suggestions, status }: Parts): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document) {
    suggestions.pausedFiles.add(document.uri.toString());
    await silenced(status);
  }
}

async function silenced(status: Status): Promise<void> {
  status.draw();
  await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
}

/** Whatever was paused goes on: everywhere, or in this file. */
async function resume({ suggestions, server, status }: Parts): Promise<void> {
  suggestions.pausedLanguage = false;
  const document = vscode.window.activeTextEditor?.document;
  if (document) {
    suggestions.pausedFiles.delete(document.uri.toString());
  }
  await server.pause(0);
  status.draw();
  await suggestions.ask();
}

async function doctor(context: vscode.ExtensionContext, reading: Reading): Promise<void> {
  const { program, looked } = await findServer(context);
  if (!program) {
    await reading.show("Doctor", `# goassist: doctor\n\nThere is no server. Looked for:\n\n${looked.map((one) => `- \`${one}\``).join("\n")}\n`);
    return;
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const ran = await run(program, ["doctor"], folder ? { cwd: folder } : {});
  await reading.show("Doctor", `# goassist: doctor\n\n\`\`\`\n${ran.out}${ran.said}\n\`\`\`\n\nServer: \`${program}\`\n`);
}

/** What is going on, and what can be done about it. */
async function menu({ server, status, suggestions }: Parts): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const account = await server.account();
  const paused = account?.paused || (document && suggestions.pausedIn(document));
  const entry = (label: string, command: string, description?: string) => ({ label, command, ...(description && { description }) });
  const entries = [
    entry("$(question) Why this, or why nothing?", "goassist.why", status.line()),
    ...(paused
      ? [entry("$(play) Suggest again", "goassist.resume")]
      : [
          entry(`$(debug-pause) Pause for ${PAUSE_MINUTES} minutes`, "goassist.pauseMinutes"),
          entry("$(debug-pause) Pause in this file", "goassist.pauseFile"),
          entry("$(debug-pause) Pause in all Go files", "goassist.pauseLanguage"),
        ]),
    entry("$(output) Log", "goassist.log"),
    entry("$(pulse) Doctor", "goassist.doctor"),
    entry("$(refresh) Restart the server", "goassist.restart"),
    ...(account ? [entry("$(database) Read the workspace anew", "goassist.readAnew")] : [entry("$(cloud-download) Install the server", "goassist.install")]),
    ...(account && !account.engine_ready ? [entry("$(cloud-download) Fetch the model", "goassist.fetchModel")] : []),
  ];
  const about = account?.model ? `${account.model}, ${account.engine_ready ? "ready" : "not ready"}` : status.line();
  const chosen = await vscode.window.showQuickPick(entries, { title: `goassist: ${about}` });
  // A click into the status bar has taken the keyboard away from the text.
  await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command);
  }
}
