/** An item of the server against the document: whether it still fits, how much of it stands there, where it may be left. */
import * as vscode from "vscode";

export interface Item {
  readonly uri: string;
  /** Line of the item's range. */
  readonly row: number;
  /** The line's text before the range. */
  readonly head: string;
  /** What is to stand behind `head`. */
  readonly text: string;
  /** What the text takes the place of, behind the cursor. */
  readonly replaced: string;
  /** The line's text behind the range. */
  readonly tail: string;
  /** Lines of the document without any of the text's own. */
  readonly lineCount: number;
  /** Lengths of `text` after which it may be left. */
  readonly points: readonly number[];
  /** Run once it has been taken, or the first part of it that may need an import. */
  readonly command: vscode.Command | undefined;
}

/** The item as it fits the document at the cursor; undefined when it does not fit. */
export function itemOf(
  document: vscode.TextDocument,
  position: vscode.Position,
  raw: vscode.InlineCompletionItem,
): Item | undefined {
  const line = document.lineAt(position.line).text;
  const range = raw.range ?? new vscode.Range(position, position);
  if (!range.isSingleLine || range.start.line !== position.line) {
    return undefined;
  }
  const end = Math.max(position.character, range.end.character);
  const points: unknown = raw.command?.arguments?.[3];
  const item: Item = {
    uri: document.uri.toString(),
    row: position.line,
    head: line.slice(0, range.start.character),
    text: typeof raw.insertText === "string" ? raw.insertText : raw.insertText.value,
    replaced: line.slice(position.character, end),
    tail: line.slice(end),
    lineCount: document.lineCount,
    points: Array.isArray(points) ? points.filter((point) => typeof point === "number") : [],
    command: raw.command,
  };
  return typedOf(item, document, position) === undefined ? undefined : item;
}

/**
 * How much of the item's text stands in the document already; undefined when the document is not what it was made for.
 *
 * Whatever may have happened in between is found out by this one comparison, before each edit.
 */
export function typedOf(item: Item, document: vscode.TextDocument, position: vscode.Position): number | undefined {
  if (document.uri.toString() !== item.uri || position.line < item.row) {
    return undefined;
  }
  const before = document.getText(new vscode.Range(item.row, 0, position.line, position.character));
  const typed = before.length - item.head.length;
  const fits =
    typed >= 0 &&
    typed < item.text.length &&
    before === item.head + item.text.slice(0, typed) &&
    document.lineAt(position.line).text.slice(position.character) === item.replaced + item.tail &&
    document.lineCount === item.lineCount + position.line - item.row;
  return fits ? typed : undefined;
}

/** What is left of an item behind `typed`, at the cursor. */
export function restOf(item: Item, typed: number, position: vscode.Position): vscode.InlineCompletionItem {
  const range = new vscode.Range(position, position.translate(0, item.replaced.length));
  const points = item.points.filter((point) => point > typed).map((point) => point - typed);
  const command = item.command && { ...item.command, arguments: [...(item.command.arguments ?? []).slice(0, 3), points] };
  return new vscode.InlineCompletionItem(item.text.slice(typed), range, command);
}

/** The end of the next part behind `typed`, as a length of the text. */
export function partEnd(item: Item, typed: number, part: "word" | "line"): number {
  const ends = (point: number) => part === "word" || /^[\r\n]/.test(item.text.slice(point));
  return item.points.find((point) => point > typed && ends(point)) ?? item.text.length;
}

/** A package is used only where its name is qualified: imports come with the first part that may need them. */
export function mayNeedImport(text: string): boolean {
  return /[A-Za-z_]\w*\./.test(text);
}
