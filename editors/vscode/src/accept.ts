/** Takes parts of a suggestion, and has the imports of what was taken join its step of undo. */
import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult } from "vscode-languageclient/node";
import { mayNeedImport, partEnd } from "./item";
import type { Suggestions } from "./suggest";

/** Tries at an edit that a key may have come before: on a busy machine who types fast is ahead of several of them. */
const TRIES = 30;

type Execute = (command: string, args: unknown[]) => vscode.ProviderResult<unknown>;
type Apply = (params: ApplyWorkspaceEditParams) => ApplyWorkspaceEditResult | PromiseLike<ApplyWorkspaceEditResult>;

export class Acceptance {
  /** The document as it stood when the text had come in and its imports had not. */
  private awaited: { uri: string; version: number } | undefined;

  constructor(private readonly suggestions: Suggestions) {}

  /** Take the next word or line that may be left; the editor's own next word where the suggestion is not ours. */
  async take(part: "word" | "line"): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || editor.selections.length > 1 || !this.suggestions.current(editor)) {
      await vscode.commands.executeCommand(`editor.action.inlineSuggest.acceptNext${part === "word" ? "Word" : "Line"}`);
      return;
    }
    for (let tries = 0; tries < TRIES; tries++) {
      const found = this.suggestions.current(editor);
      if (!found) {
        return;
      }
      const { item, typed } = found;
      const stop = partEnd(item, typed, part);
      const whole = stop === item.text.length;
      const cursor = editor.selection.active;
      // Refused when a key has come in between: then what fits is found out anew.
      const edited = await editor.edit(
        (change) => {
          change.insert(cursor, item.text.slice(typed, stop));
          if (whole && item.replaced) {
            change.delete(new vscode.Range(cursor, cursor.translate(0, item.replaced.length)));
          }
        },
        { undoStopBefore: true, undoStopAfter: false },
      );
      if (edited) {
        this.suggestions.taken();
        if (item.command && (whole || mayNeedImport(item.text.slice(0, stop)))) {
          await vscode.commands.executeCommand(item.command.command, ...(item.command.arguments ?? []));
        }
        return;
      }
    }
  }

  /** The client's middleware of `goassist.accept`: what the editor runs once a suggestion was taken. */
  async report(command: string, args: unknown[], next: Execute): Promise<unknown> {
    this.suggestions.taken();
    void vscode.commands.executeCommand("setContext", "goassist.accepted", true);
    const uri = args[2];
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
    this.awaited = document && { uri: document.uri.toString(), version: document.version };
    try {
      return await next(command, args);
    } finally {
      this.awaited = undefined;
    }
  }

  /**
   * The client's middleware of `workspace/applyEdit`. The editor's own way would make a step of undo of it: imports
   * are put into the text editor without one before them, and so into the step of what was taken.
   */
  async apply(params: ApplyWorkspaceEditParams, next: Apply): Promise<ApplyWorkspaceEditResult> {
    const awaited = this.awaited;
    const edits = awaited && params.edit.changes?.[awaited.uri];
    const editor = vscode.window.visibleTextEditors.find((one) => one.document.uri.toString() === awaited?.uri);
    if (!awaited || !edits || !editor) {
      return next(params);
    }
    const changes = edits.map((edit) => {
      const { start, end } = edit.range;
      return { range: new vscode.Range(start.line, start.character, end.line, end.character), text: edit.newText };
    });
    const last = changes.reduce((most, { range }) => (range.end.isAfter(most) ? range.end : most), new vscode.Position(0, 0));
    const above = () => editor.document.getText(new vscode.Range(new vscode.Position(0, 0), last));
    const expected = above();
    for (let tries = 0; tries < TRIES && above() === expected; tries++) {
      const edited = await editor.edit(
        (change) => {
          for (const { range, text } of changes) {
            change.replace(range, text);
          }
        },
        // Behind another key the step of the text has ended: then the imports are a step of their own.
        { undoStopBefore: editor.document.version !== awaited.version, undoStopAfter: false },
      );
      if (edited) {
        return { applied: true };
      }
    }
    return { applied: false, failureReason: "the document was changed meanwhile" };
  }
}
