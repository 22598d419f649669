// Runs gopls for Go files, by the same client library that the Go extension uses. GOPLS is its path.
const { LanguageClient, RevealOutputChannelOn } = require("vscode-languageclient/node");

exports.activate = (context) => {
  const server = { command: process.env.GOPLS, args: ["serve"] };
  // Else each request that gopls gives up when a key comes is a message on the screen.
  const quiet = { revealOutputChannelOn: RevealOutputChannelOn.Never };
  const client = new LanguageClient("gopls", "gopls", server, {
    ...quiet,
    documentSelector: [{ scheme: "file", language: "go" }],
  });
  context.subscriptions.push(client);
  void client.start();
};
