// Runs gopls for Go files, by the same client library that the Go extension uses. GOPLS is its path.
const { LanguageClient } = require("vscode-languageclient/node");

exports.activate = (context) => {
  const server = { command: process.env.GOPLS, args: ["serve"] };
  const client = new LanguageClient("gopls", "gopls", server, { documentSelector: [{ scheme: "file", language: "go" }] });
  context.subscriptions.push(client);
  void client.start();
};
