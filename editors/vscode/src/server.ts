/** The server's process: started for all Go files at once, and brought back when it dies. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  InlineCompletionRequest,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  ShowMessageNotification,
} from "vscode-languageclient/node";
import type { Acceptance } from "./accept";
import { findServer } from "./find";
import { GO_FILES, rootOutside } from "./folders";
import type { Notices } from "./notices";
import type { Status } from "./status";
import type { Suggestions } from "./suggest";
import { olderThan } from "./version";

/** The oldest server that speaks as this extension expects. */
const OLDEST = "0.1.0";
const MAX_DEATHS = 3;
const DEATHS_WITHIN_MS = 5 * 60 * 1000;
const RESTART_MS = 500;

/** What is read of the server's answer to `goassist.status`. */
interface Account {
  readonly paused?: boolean;
  readonly engine_ready?: boolean;
  readonly model?: string | null;
}

/** Extensions with ghost text of their own, in Go files too. */
const OTHERS = [
  "amazonwebservices.amazon-q-vscode",
  "codeium.codeium",
  "continue.continue",
  "ggml-org.llama-vscode",
  "github.copilot",
  "github.copilot-chat",
  "sourcegraph.cody-ai",
  "supermaven.supermaven",
  "tabbyml.vscode-tabby",
  "tabnine.tabnine-vscode",
];

/**
 * Where another extension has ghost text, that stands first, and ours is the next candidate: the editor puts providers
 * for all languages last. Without another we are asked for Go alone, since a provider delays the editor's list.
 */
class YieldingClient extends LanguageClient {
  override registerFeature(feature: Parameters<LanguageClient["registerFeature"]>[0]): void {
    const yields = OTHERS.some((id) => vscode.extensions.getExtension(id));
    if (yields && "registrationType" in feature && feature.registrationType.method === InlineCompletionRequest.method) {
      const register = feature.register.bind(feature);
      feature.register = (data) => register({ ...data, registerOptions: { ...data.registerOptions, documentSelector: ["*"] } });
    }
    super.registerFeature(feature);
  }

  /** Logged only: the library's own word about a start that failed would stand beside ours, which has the button. */
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private deaths: number[] = [];
  private again: NodeJS.Timeout | undefined;
  private resumed: NodeJS.Timeout | undefined;
  private pausedUntil = 0;
  /** Each start and stop is counted: what belongs to an earlier one is over. */
  private life = 0;
  /** The last restart's end, and the one that has not begun. */
  private restarting: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;
  /** Folders outside the workspace that the server was told of. */
  private readonly outside = new Set<string>();

  constructor(
    private readonly context: vscode.ExtensionContext,
    readonly log: vscode.LogOutputChannel,
    private readonly status: Status,
    private readonly notices: Notices,
    private readonly suggestions: Suggestions,
    private readonly acceptance: Acceptance,
  ) {}

  /** Whether it runs and answers. */
  get running(): boolean {
    return this.client?.isRunning() ?? false;
  }

  async start(): Promise<void> {
    const life = ++this.life;
    clearTimeout(this.again);
    const { program, looked } = await findServer(this.context);
    if (life !== this.life) {
      return;
    }
    if (!program) {
      this.status.serverIs("missing");
      this.notices.serverMissing(looked);
      return;
    }
    this.status.serverIs("starting");
    const client = new YieldingClient(
      "goassist",
      "goassist",
      { command: program, args: ["--stdio"], options: { shell: /\.(bat|cmd)$/i.test(program) } },
      this.options(life),
    );
    this.client = client;
    this.outside.clear();
    client.onNotification(ShowMessageNotification.type, ({ type, message }) => this.notices.ofServer(type, message));
    try {
      await client.start();
    } catch (error) {
      this.log.error(`the server could not be started: ${String(error)}`);
      if (life === this.life && this.client === client) {
        this.died(life);
      }
      return;
    }
    if (life !== this.life) {
      return;
    }
    this.status.serverIs("ready");
    this.suggestions.begin(vscode.window.activeTextEditor);
    void this.loaded(); // it may have been quick
    void vscode.commands.executeCommand("setContext", "goassist.running", true);
    const version = client.initializeResult?.serverInfo?.version;
    if (version && olderThan(version, OLDEST)) {
      this.notices.tooOld(version, OLDEST);
    }
    if (this.pausedUntil > Date.now()) {
      await this.pause((this.pausedUntil - Date.now()) / 60_000);
    }
    for (const document of vscode.workspace.textDocuments) {
      await this.addFolder(document);
    }
  }

  async stop(): Promise<void> {
    this.life++;
    clearTimeout(this.again);
    const client = this.client;
    this.client = undefined;
    void vscode.commands.executeCommand("setContext", "goassist.running", false);
    this.status.serverIs("off");
    if (client?.needsStop()) {
      await client.stop().catch((error: unknown) => this.log.warn(`the server did not stop: ${String(error)}`));
    }
    await client?.dispose().catch(() => undefined); // it has ended already
  }

  /** One restart after another: of two at once, one would leave a server that nobody ends. One that waits is enough. */
  restart(): Promise<void> {
    this.waiting ??= this.restarting.then(async () => {
      this.waiting = undefined;
      this.deaths = [];
      this.notices.forget();
      await this.stop();
      await this.start();
    });
    this.restarting = this.waiting.catch((error: unknown) => this.log.error(`the restart failed: ${String(error)}`));
    return this.waiting;
  }

  /** The server's own account of itself; undefined while it does not run. */
  async account(): Promise<Account | undefined> {
    return (await this.command("goassist.status")) as Account | undefined;
  }

  /** Its explanation of its last answer, in Markdown; undefined while it does not run. */
  async explanation(): Promise<string | undefined> {
    return (await this.command("goassist.explain")) as string | undefined;
  }

  /** The answer to one of the server's commands; undefined while it does not run. */
  async command(name: string, ...args: unknown[]): Promise<unknown> {
    return this.running
      ? this.client?.sendRequest("workspace/executeCommand", { command: name, arguments: args })
      : undefined;
  }

  /** Pause for some minutes; Infinity until it is taken back, 0 takes it back. Kept over the server's death. */
  async pause(minutes: number): Promise<void> {
    this.pausedUntil = Date.now() + minutes * 60_000;
    clearTimeout(this.resumed);
    this.status.pausedIs(minutes > 0);
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
    await this.command("goassist.pause", minutes);
    if (minutes > 0) {
      this.resumed = setTimeout(() => this.status.pausedIs(false), minutes * 60_000);
    }
  }

  /** Have the server know the module of a Go file that lies outside the workspace. */
  async addFolder(document: vscode.TextDocument): Promise<void> {
    if (!vscode.languages.match(GO_FILES, document) || !this.running) {
      return;
    }
    const root = await rootOutside(document.uri);
    if (root && !this.outside.has(root.toString())) {
      this.outside.add(root.toString());
      const added = [{ uri: root.toString(), name: root.path.split("/").pop() ?? "" }];
      await this.client?.sendNotification("workspace/didChangeWorkspaceFolders", { event: { added, removed: [] } });
    }
  }

  dispose(): void {
    clearTimeout(this.resumed);
    void this.stop();
  }

  private options(life: number): LanguageClientOptions {
    return {
      documentSelector: [GO_FILES],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: chosen(),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.died(life);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        provideInlineCompletionItems: (document, position, context, token, next) =>
          this.suggestions.provide(document, position, context, token, next),
        executeCommand: (command, args, next) =>
          command === "goassist.accept" ? this.acceptance.report(command, args, next) : next(command, args),
        handleWorkDoneProgress: (_token, value) => {
          const percent = "percentage" in value && value.percentage !== undefined ? ` ${value.percentage}%` : "";
          this.status.progressIs(value.kind === "end" ? undefined : `${value.message ?? "loading"}${percent}`);
          if (value.kind === "end") {
            void this.loaded();
          }
        },
        workspace: {
          configuration: (params) => params.items.map(({ section }) => (section === "goassist" ? chosen() : null)),
          handleApplyEdit: (params, next) =>
            this.acceptance.apply(params, async (edit) => {
              const answer = await next(edit, new vscode.CancellationTokenSource().token);
              return answer && "applied" in answer ? answer : { applied: false };
            }),
        },
      },
    };
  }

  /** The server has ended some work of its own: model, types or index are there. */
  private async loaded(): Promise<void> {
    const account = await this.account();
    void vscode.commands.executeCommand("setContext", "goassist.modelReady", account?.engine_ready ?? false);
    await this.suggestions.askAgain();
  }

  private died(life: number): void {
    if (life !== this.life) {
      return;
    }
    this.client = undefined;
    this.life++;
    void vscode.commands.executeCommand("setContext", "goassist.running", false);
    this.status.serverIs("dead");
    const now = Date.now();
    this.deaths = [...this.deaths.filter((moment) => now - moment < DEATHS_WITHIN_MS), now];
    if (this.deaths.length >= MAX_DEATHS) {
      this.notices.serverDied(this.deaths.length);
      return;
    }
    this.again = setTimeout(() => void this.start(), RESTART_MS);
  }
}

/**
 * The settings that the user has set, wherever: defaults are the server's to know, since what `goassist-lsp bench tune`
 * measured stands in for them.
 */
function chosen(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("goassist");
  const set: Record<string, unknown> = {};
  for (const name of Object.keys(vscode.workspace.getConfiguration().get<object>("goassist") ?? {})) {
    const found = configuration.inspect(name);
    const value = found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
    if (value !== undefined && name !== "server") {
      set[name] = value;
    }
  }
  return set;
}
