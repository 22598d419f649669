// Bundles the extension into dist/: for machines, and the word that a browser alone gets.
import { build } from "esbuild";

const shared = { bundle: true, external: ["vscode"], format: "cjs", minify: true, legalComments: "none", logLevel: "warning" };
await build({ ...shared, entryPoints: ["src/extension.ts"], outfile: "dist/extension.js", platform: "node", target: "node20" });
await build({ ...shared, entryPoints: ["src/browser.ts"], outfile: "dist/browser.js", platform: "browser", target: "es2022" });
