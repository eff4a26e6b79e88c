// Builds both files into the collector's static folder, with their hashes in manifest.json.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const out = process.argv[2] ?? new URL("../../ingest/static/", import.meta.url).pathname;

async function bundle(entry, define = {}) {
  const result = await build({
    entryPoints: [new URL(`src/${entry}.ts`, import.meta.url).pathname],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2020",
    charset: "utf8",
    legalComments: "none",
    write: false,
    define,
  });
  return Buffer.from(result.outputFiles[0].contents);
}

const integrity = (code) => `sha384-${createHash("sha384").update(code).digest("base64")}`;

const frictionFile = `s-friction-${version}.js`;
const friction = await bundle("friction");
const core = await bundle("core", {
  VERSION: JSON.stringify(version),
  FRICTION_FILE: JSON.stringify(frictionFile),
  FRICTION_INTEGRITY: JSON.stringify(integrity(friction)),
});

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const files = { "s.js": core, [`s-${version}.js`]: core, [frictionFile]: friction };
const manifest = { version, files: {} };
for (const [name, code] of Object.entries(files)) {
  writeFileSync(`${out}/${name}`, code);
  manifest.files[name] = { bytes: code.length, gzip_bytes: gzipSync(code, { level: 9 }).length, integrity: integrity(code) };
}
writeFileSync(`${out}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
console.log(JSON.stringify(manifest.files, null, 2));
