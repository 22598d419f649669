/** Documents to read: explanations, the doctor's findings. Shown as rendered Markdown, or as text where that cannot be. */
import * as vscode from "vscode";

const SCHEME = "goassist";
/** Comes with the editor, but can be switched off. */
const RENDERER = "vscode.markdown-language-features";

export class Reading implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Show a Markdown text beside what is being edited. */
  async show(title: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}.md` });
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
    const where = { viewColumn: vscode.ViewColumn.Two, preview: true };
    if (vscode.extensions.getExtension(RENDERER)) {
      await vscode.commands.executeCommand("vscode.openWith", uri, "vscode.markdown.preview.editor", where);
    } else {
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), where);
    }
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
