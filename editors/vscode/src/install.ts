/** The server's own environment and its model: made and fetched after asking, with progress. */
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as vscode from "vscode";
import { executable, findServer, ownEnvironment, programOf } from "./find";
import { type Ran, run } from "./run";

const PYTHONS = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];
const PACKAGE = "goassist-lsp";

interface Model {
  readonly name: string;
  readonly title: string;
  readonly size_bytes: number;
  readonly licence: string;
  readonly default: boolean;
  readonly present: boolean;
}

/** Ask, then make an environment with the server in it. Returns whether it is there. */
export async function installServer(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const environment = ownEnvironment(context);
  const python = await findPython();
  if (!python) {
    void vscode.window.showErrorMessage("goassist: Python 3.11 or later with its venv module is needed and was not found on PATH.");
    return false;
  }
  const answer = await vscode.window.showInformationMessage(
    "Install goassist's server?",
    { modal: true, detail: `pip install ${PACKAGE}, by ${python}, into an environment of its own: ${environment}. Nothing else is touched.` },
    "Install",
  );
  if (answer !== "Install") {
    return false;
  }
  await mkdir(dirname(environment), { recursive: true });
  const steps: [string, string, string[]][] = [
    ["making the environment", python, ["-m", "venv", "--clear", environment]],
    ["installing", programOf(environment, "python"), ["-m", "pip", "install", "--disable-pip-version-check", "--upgrade", PACKAGE]],
  ];
  for (const [what, program, args] of steps) {
    const ran = await withProgress(`goassist: ${what}`, log, program, args);
    if (ran.status !== 0) {
      await rm(environment, { recursive: true, force: true });
      told(ran, what, log);
      return false;
    }
  }
  await haveFound(context, programOf(environment, PACKAGE));
  return true;
}

/** Where another program is found first, or the setting names one that is not there, have the setting name this one. */
async function haveFound(context: vscode.ExtensionContext, program: string): Promise<void> {
  if ((await findServer(context)).program !== program) {
    const settings = vscode.workspace.getConfiguration("goassist");
    const ofWorkspace = settings.inspect("server")?.workspaceValue !== undefined;
    await settings.update("server", program, ofWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global);
  }
}

/** Ask, with size and licence, then fetch the model. Returns whether it is there. */
export async function fetchModel(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const { program } = await findServer(context);
  if (!program) {
    await vscode.commands.executeCommand("goassist.install");
    return false;
  }
  const listed = await run(program, ["model", "list", "--json"]);
  if (listed.status !== 0) {
    told(listed, "listing the models", log);
    return false;
  }
  const models = JSON.parse(listed.out) as Model[];
  const wanted = vscode.workspace.getConfiguration("goassist").get<string>("model");
  const model = models.find((one) => one.name === wanted) ?? models.find((one) => one.default);
  if (!model) {
    return false;
  }
  if (model.present) {
    void vscode.window.showInformationMessage(`goassist: ${model.title} is here already.`);
    return true;
  }
  const size = `${Math.round(model.size_bytes / 1e6)} MB`;
  const answer = await vscode.window.showInformationMessage(
    `Fetch goassist's model?`,
    { modal: true, detail: `${model.title}: ${size}, licence ${model.licence}. It is verified by its digest and kept in goassist's cache.` },
    "Fetch",
  );
  if (answer !== "Fetch") {
    return false;
  }
  const ran = await withProgress(`goassist: fetching ${model.name} (${size})`, log, program, ["model", "pull", model.name]);
  if (ran.status !== 0) {
    told(ran, "fetching the model", log);
    return false;
  }
  return true;
}

/** Have the server's doctor build the native library. Whether it runs is the server's to say: its start tries it. */
export async function buildLibrary(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<void> {
  const { program } = await findServer(context);
  if (program) {
    await withProgress("goassist: building the native library, some minutes", log, program, ["doctor", "--fix"]);
  }
}

/** The first Python that is new enough and can make environments. */
async function findPython(): Promise<string | undefined> {
  for (const name of PYTHONS) {
    const program = await executable(process.platform === "win32" ? `${name}.exe` : name);
    const fits = "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))";
    if (program && (await run(program, ["-c", fits])).status === 0) {
      return program;
    }
  }
  return undefined;
}

function withProgress(title: string, log: vscode.LogOutputChannel, program: string, args: string[]): Thenable<Ran> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, (progress, token) => {
    const line = (text: string) => {
      log.info(text);
      progress.report({ message: text.slice(0, 120) });
    };
    log.info([program, ...args].join(" "));
    return run(program, args, { line, token });
  });
}

/** Say that something did not work, and what the program itself said of it. */
function told(ran: Ran, what: string, log: vscode.LogOutputChannel): void {
  if (ran.status === null) {
    return; // the user has cancelled it
  }
  log.error(`${what}: exit status ${ran.status}\n${ran.said}`);
  const last = ran.said.split("\n").pop() ?? "";
  void vscode.window
    .showErrorMessage(`goassist: ${what} did not work: ${last}`, "Show Log")
    .then((button) => button && log.show());
}
