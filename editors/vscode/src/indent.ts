/** Whether the Tab key belongs to the line's indentation. */
import * as vscode from "vscode";
import type { Item } from "./item";

/**
 * In front of a line's first character it does when the line is not as far in as the line above suggests, or when the
 * suggestion itself goes on by indenting: typing does that too.
 */
export function tabIndents(document: vscode.TextDocument, position: vscode.Position, item: Item): boolean {
  const before = document.lineAt(position.line).text.slice(0, position.character);
  if (/\S/.test(before)) {
    return false;
  }
  if (/^[ \t]/.test(item.text.slice(before.length - item.head.length))) {
    return true;
  }
  let above = position.line - 1;
  while (above >= 0 && document.lineAt(above).isEmptyOrWhitespace) {
    above--;
  }
  if (above < 0) {
    return false;
  }
  const tabSize = tabSizeOf(document);
  const line = document.lineAt(above);
  const indentation = line.text.slice(0, line.firstNonWhitespaceCharacterIndex);
  const opens = /[{([:]\s*$/.test(line.text);
  return columns(before, tabSize) < columns(indentation, tabSize) + (opens ? tabSize : 0);
}

function columns(blank: string, tabSize: number): number {
  return [...blank].reduce((width, sign) => (sign === "\t" ? width + tabSize - (width % tabSize) : width + 1), 0);
}

function tabSizeOf(document: vscode.TextDocument): number {
  const editor = vscode.window.visibleTextEditors.find((one) => one.document === document);
  const size = editor?.options.tabSize;
  return typeof size === "number" ? size : 4;
}
