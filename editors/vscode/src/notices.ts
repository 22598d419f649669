/** What the user is told: each cause once, with a button that mends it. */
import * as vscode from "vscode";
import { MessageType } from "vscode-languageclient/node";

/** Buttons and the commands they run. */
const BUTTONS = {
  "Install…": "goassist.install",
  "Choose a Program…": "goassist.chooseServer",
  "Fetch the Model…": "goassist.fetchModel",
  "Build It…": "goassist.buildLibrary",
  "Get Go…": "goassist.getGo",
  Restart: "goassist.restart",
  "Show Log": "goassist.log",
  Doctor: "goassist.doctor",
} as const;

type Button = keyof typeof BUTTONS;

export class Notices {
  private readonly told = new Set<string>();
  /** The whole texts, newest last. */
  readonly problems: string[] = [];

  serverMissing(looked: readonly string[]): void {
    const text = `goassist: there is no server (pip install goassist-lsp). Looked for: ${looked.join(", ")}`;
    this.once(MessageType.Warning, text, ["Install…", "Choose a Program…"]);
  }

  serverDied(times: number): void {
    this.once(MessageType.Error, `goassist: the server died ${times} times; it is left alone`, ["Restart", "Show Log", "Doctor"]);
  }

  tooOld(version: string, needed: string): void {
    const text = `goassist: server ${version} is too old, ${needed} is needed: pip install --upgrade goassist-lsp`;
    this.once(MessageType.Warning, text, ["Install…"]);
  }

  /** A message of the server's own. Which button mends it is told by the cure that it names. */
  ofServer(type: MessageType, message: string): void {
    const buttons: Button[] = [
      ...(message.includes("model pull") ? (["Fetch the Model…"] as const) : []),
      ...(message.includes("doctor --fix") ? (["Build It…"] as const) : []),
      ...(message.includes("Install Go") ? (["Get Go…", "Restart"] as const) : []),
    ];
    this.once(type, message, type === MessageType.Info ? buttons : [...buttons, "Show Log"]);
  }

  once(type: MessageType, text: string, buttons: readonly Button[]): void {
    if (this.told.has(text)) {
      return;
    }
    this.told.add(text);
    this.problems.push(text);
    const tell =
      type === MessageType.Error
        ? vscode.window.showErrorMessage
        : type === MessageType.Warning
          ? vscode.window.showWarningMessage
          : vscode.window.showInformationMessage;
    tell(text, ...buttons).then((button) => button && vscode.commands.executeCommand(BUTTONS[button]));
  }

  /** After a restart it may be news again. */
  forget(): void {
    this.told.clear();
    this.problems.length = 0;
  }
}
