/** The item of the status bar: what the assistant is doing, and why it is silent. */
import * as vscode from "vscode";

/** A spinner at every key would be noise. */
const THINKING_AFTER_MS = 200;
/** The reason of a silence is asked for once no key has come for so long. */
const REASON_AFTER_MS = 300;

export type ServerState = "off" | "missing" | "starting" | "ready" | "dead";

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("goassist", vscode.StatusBarAlignment.Right, 100);
  private server: ServerState = "off";
  private progress: string | undefined;
  private paused = false;
  private waiting = 0;
  private thinking = false;
  private silence: string | undefined;
  private thinkingTimer: NodeJS.Timeout | undefined;
  private reasonTimer: NodeJS.Timeout | undefined;

  /** Asks the server to explain its last answer; set by whoever has the server. */
  explanation: () => Promise<string | undefined> = async () => undefined;
  /** Whether the shown file is paused by us. */
  pausedHere: (document: vscode.TextDocument) => boolean = () => false;

  constructor() {
    this.item.name = "goassist";
    this.item.command = "goassist.menu";
    this.draw();
  }

  serverIs(state: ServerState): void {
    this.server = state;
    this.progress = undefined;
    this.silence = undefined;
    this.draw();
  }

  pausedIs(paused: boolean): void {
    this.paused = paused;
    this.draw();
  }

  /** Work-done progress of the server; undefined at its end. */
  progressIs(text: string | undefined): void {
    this.progress = text;
    this.draw();
  }

  /** A request has gone out; call what is returned once it is answered. */
  asking(): () => void {
    this.waiting++;
    this.thinkingTimer ??= setTimeout(() => {
      this.thinkingTimer = undefined;
      this.thinking = this.waiting > 0;
      this.draw();
    }, THINKING_AFTER_MS);
    return () => {
      if (--this.waiting === 0) {
        clearTimeout(this.thinkingTimer);
        this.thinkingTimer = undefined;
        this.thinking = false;
        this.draw();
      }
    };
  }

  /** An answer has come, with something to show or not. */
  answered(something: boolean): void {
    clearTimeout(this.reasonTimer);
    this.silence = something ? undefined : this.silence;
    if (!something) {
      this.reasonTimer = setTimeout(() => void this.findReason(), REASON_AFTER_MS);
    }
    this.draw();
  }

  /** One line about the present state. */
  line(): string {
    const document = vscode.window.activeTextEditor?.document;
    if (this.server === "ready" || this.server === "starting") {
      if (this.paused) {
        return "paused";
      }
      if (document && this.pausedHere(document)) {
        return "paused in this file";
      }
    }
    if (this.server === "ready") {
      if (this.progress) {
        return this.progress;
      }
      return this.thinking ? "thinking" : this.silence ? `silent: ${this.silence}` : "ready";
    }
    return { off: "off", missing: "the server is not installed", starting: "starting", dead: "the server has died" }[
      this.server
    ];
  }

  draw(): void {
    const line = this.line();
    const broken = this.server === "missing" || this.server === "dead";
    const icon = broken
      ? "warning"
      : line.startsWith("paused")
        ? "debug-pause"
        : this.server === "starting" || this.progress || line === "thinking"
          ? "loading~spin"
          : this.silence
            ? "circle-slash"
            : "sparkle";
    this.item.text = `$(${icon}) goassist`;
    this.item.tooltip = `goassist: ${line}`;
    this.item.accessibilityInformation = { label: `goassist: ${line}` };
    this.item.backgroundColor = broken ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    if (vscode.window.activeTextEditor?.document.languageId === "go") {
      this.item.show();
    } else {
      this.item.hide();
    }
  }

  dispose(): void {
    clearTimeout(this.thinkingTimer);
    clearTimeout(this.reasonTimer);
    this.item.dispose();
  }

  private async findReason(): Promise<void> {
    const text = await this.explanation();
    if (this.waiting === 0) {
      this.silence = text && /^\*\*Silent\*\*:\s*(.*?)\.?$/m.exec(text)?.[1];
      this.draw();
    }
  }
}
