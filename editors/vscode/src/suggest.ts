/** Ghost text: asks the server through the client, remembers what may be shown, and keeps silent where it shall. */
import * as vscode from "vscode";
import { GO_FILES } from "./folders";
import { tabIndents } from "./indent";
import { type Item, itemOf, restOf, typedOf } from "./item";
import type { Status } from "./status";

type Next = (
  document: vscode.TextDocument,
  position: vscode.Position,
  context: vscode.InlineCompletionContext,
  token: vscode.CancellationToken,
) => vscode.ProviderResult<vscode.InlineCompletionItem[] | vscode.InlineCompletionList>;

interface Rejected {
  readonly uri: string;
  readonly row: number;
  readonly text: string;
}

export class Suggestions {
  /** Files without suggestions, by address. */
  readonly pausedFiles = new Set<string>();
  /** Whether no Go file has any. */
  pausedLanguage = false;

  private items: Item[] = [];
  private index = 0;
  /** The user has cycled: answers that come by themselves do not replace the choice. */
  private chosen = false;
  private rejected: Rejected | undefined;
  private asked = false;
  /** How often the server has come to know more. */
  private known = 0;
  private unasked = false;
  private tabKeyIndents = false;
  /** Where nothing was shown last. */
  private silentAt: { document: vscode.TextDocument; version: number; position: vscode.Position } | undefined;
  /** The last question, until it is answered. */
  private answering: Promise<unknown> = Promise.resolve();

  constructor(private readonly status: Status) {}

  /** The client's middleware of `textDocument/inlineCompletion`. */
  provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Next,
  ): Promise<vscode.InlineCompletionItem[] | undefined> {
    this.asked = true;
    const answering = this.answer(document, position, context, token, next);
    this.answering = answering;
    return answering;
  }

  /** The suggestion at the cursor and how much of it stands there; undefined where none of ours fits. */
  current(editor: vscode.TextEditor): { item: Item; typed: number } | undefined {
    const item = this.items[this.index];
    const typed = item && typedOf(item, editor.document, editor.selection.active);
    return item && typed !== undefined ? { item, typed } : undefined;
  }

  /** The server knows more by now: ask again where there was nothing, or will be. */
  async askAgain(): Promise<void> {
    this.known++;
    const editor = vscode.window.activeTextEditor;
    const at = this.silentAt;
    if (at && editor?.document === at.document && at.document.version === at.version && editor.selection.active.isEqual(at.position)) {
      await this.ask();
    }
  }

  /** The first server runs: what was typed before has been asked of nobody, and is asked about when it can answer. */
  begin(editor: vscode.TextEditor | undefined): void {
    if (!this.asked && editor?.document.languageId === "go" && editor.document.isDirty) {
      const { document, selection } = editor;
      this.silentAt = { document, version: document.version, position: selection.active };
    }
  }

  /** Ask at the cursor, as if a key had been typed. */
  async ask(): Promise<void> {
    this.unasked = true;
    // The editor takes a second question at a place for answered, unless there is a provider that it has not asked.
    const fresh = vscode.languages.registerInlineCompletionItemProvider(GO_FILES, { provideInlineCompletionItems: () => undefined });
    try {
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    } finally {
      fresh.dispose();
    }
  }

  /** Show another candidate: the editor asks for all of them by itself. */
  async cycle(step: 1 | -1): Promise<void> {
    const shown = this.items[this.index];
    await vscode.commands.executeCommand(`editor.action.inlineSuggest.${step > 0 ? "showNext" : "showPrevious"}`);
    // The editor does not wait for the answer to its own question, which may hold more candidates, in another order.
    await this.answering.catch(() => undefined);
    const before = this.items.findIndex((item) => shown && sameText(item, shown));
    if (this.items.length > 0) {
      this.chosen = true;
      this.index = (Math.max(0, before) + step + this.items.length) % this.items.length;
    }
  }

  /** Take the suggestion away; the same does not come back by itself. */
  async dismiss(editor: vscode.TextEditor): Promise<void> {
    const found = this.current(editor);
    if (found) {
      this.rejected = { uri: found.item.uri, row: found.item.row, text: found.item.head + found.item.text };
    }
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
  }

  /** What was taken is no longer rejected. */
  taken(): void {
    this.rejected = undefined;
  }

  pausedIn(document: vscode.TextDocument): boolean {
    return this.pausedLanguage || this.pausedFiles.has(document.uri.toString());
  }

  private async answer(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Next,
  ): Promise<vscode.InlineCompletionItem[] | undefined> {
    // The client asks for whatever is edited, see YieldingClient.
    if (!vscode.languages.match(GO_FILES, document) || this.pausedIn(document) || selectsText(document)) {
      return undefined;
    }
    // The editor has no way to ask again that is not called a user's: our own asking is none.
    const automatic = this.unasked || context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
    this.unasked = false;
    if (!automatic) {
      this.rejected = undefined;
    }
    const kind = automatic ? vscode.InlineCompletionTriggerKind.Automatic : vscode.InlineCompletionTriggerKind.Invoke;
    const done = this.status.asking();
    const here = { document, version: document.version, position };
    const known = this.known;
    this.silentAt = undefined;
    let answer: Awaited<ReturnType<Next>>;
    try {
      answer = await next(document, position, { ...context, triggerKind: kind }, token);
    } finally {
      done();
      this.silentAt = answer ? undefined : here; // such as by a server that has ended meanwhile
    }
    if (token.isCancellationRequested || !answer) {
      return undefined;
    }
    const answered = Array.isArray(answer) ? answer : answer.items;
    const kept = automatic ? this.choiceAt(document, position) : undefined;
    this.chosen &&= !automatic || kept !== undefined;
    const fitting = (kept ? [kept] : answered).flatMap((raw) => {
      const item = itemOf(document, position, raw);
      return item && !this.isRejected(item) ? [{ raw, item }] : [];
    });
    this.remember(fitting.map((both) => both.item));
    const first = this.items[this.index];
    await this.tabIndents(first !== undefined && tabIndents(document, position, first));
    this.silentAt = fitting.length > 0 ? undefined : here;
    this.status.answered(fitting.length > 0);
    if (fitting.length === 0 && known !== this.known) {
      void this.askAgain();
    }
    return fitting.map((both) => both.raw);
  }

  /** What is left of the candidate that the user has chosen, while it fits. */
  private choiceAt(document: vscode.TextDocument, position: vscode.Position): vscode.InlineCompletionItem | undefined {
    const item = this.chosen ? this.items[this.index] : undefined;
    const typed = item && typedOf(item, document, position);
    return item && typed !== undefined ? restOf(item, typed, position) : undefined;
  }

  private remember(items: Item[]): void {
    const shown = this.items[this.index];
    this.items = items;
    this.index = Math.max(0, items.findIndex((item) => shown && sameText(item, shown)));
  }

  /** Told ahead of the ghost text, so that it holds for the first key behind it. */
  private async tabIndents(indents: boolean): Promise<void> {
    if (indents !== this.tabKeyIndents) {
      this.tabKeyIndents = indents;
      await vscode.commands.executeCommand("setContext", "goassist.tabIndents", indents);
    }
  }

  private isRejected(item: Item): boolean {
    const no = this.rejected;
    const text = item.head + item.text;
    return no?.uri === item.uri && no.row === item.row && (text.startsWith(no.text) || no.text.startsWith(text));
  }
}

function sameText(one: Item, other: Item): boolean {
  return one.uri === other.uri && one.row === other.row && one.head + one.text === other.head + other.text;
}

function selectsText(document: vscode.TextDocument): boolean {
  const editor = vscode.window.activeTextEditor;
  return editor?.document === document && editor.selections.some((selection) => !selection.isEmpty);
}
