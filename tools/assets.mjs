// Make static/vendor from node_modules: what the pages load, each file named by its content, and packed beforehand.
// Usage: node tools/assets.mjs (after `npm ci --ignore-scripts`). The folder is replaced as a whole or not at all.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const vendor = join(root, "static", "vendor");
const fresh = join(modules, ".vendor.new");

const files = {
  "tabler.css": "@tabler/core/dist/css/tabler.min.css",
  "htmx.js": "htmx.org/dist/htmx.min.js",
  "htmx-ws.js": "htmx-ext-ws/ws.js",
};

// A source map is not shipped, so no file may ask for one.
const withoutMap = (text) => text.replace(/\n?\/[/*][#@] sourceMappingURL=.*$/s, "\n");

function sprite() {
  const names = readFileSync(join(root, "static", "icons.txt"), "utf8").split("\n").map((line) => line.trim());
  const symbols = names.filter(Boolean).map((name) => {
    const svg = readFileSync(join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8");
    const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/<path stroke="none"[^>]*>/, "").replace(/\s+/g, " ").trim()}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

function put(manifest, name, text) {
  const body = Buffer.from(text);
  const suffix = extname(name);
  const hashed = `${name.slice(0, -suffix.length)}.${createHash("sha256").update(body).digest("hex").slice(0, 10)}${suffix}`;
  writeFileSync(join(fresh, hashed), body);
  writeFileSync(join(fresh, `${hashed}.gz`), gzipSync(body, { level: constants.Z_BEST_COMPRESSION }));
  manifest[name] = hashed;
}

rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh, { recursive: true });
const manifest = {};
for (const [name, path] of Object.entries(files)) {
  put(manifest, name, withoutMap(readFileSync(join(modules, path), "utf8")));
}
put(manifest, "icons.svg", sprite());
writeFileSync(join(fresh, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
rmSync(vendor, { recursive: true, force: true });
renameSync(fresh, vendor);
console.log(`static/vendor: ${Object.keys(manifest).length} files`);
