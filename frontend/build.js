/**
 * `npm run build`: the form's script and the pages' files into the Python package, by Vite.
 *
 * Leaves exactly what belongs there, `manifest.json` among it, which names the files by their
 * sources (Vite's format); prints the sizes; fails where the form's script has grown too large.
 */

import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const MODES = ["form", "pages"];
/** The form's script is loaded with a page of the hub's: what it may weigh, compressed. */
const FORM_LIMIT = 60_000;
const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../jupyterhub_imagebuilder/static");

/** Builds into a folder of its own, so that a failure leaves what was served before. */
async function run() {
  const made = await mkdtemp(join(here, "node_modules/.static-"));
  try {
    await writeFile(join(made, "manifest.json"), JSON.stringify(await bundle(made), null, 2));
    const sizes = await measure(made);
    report(sizes);
    await replace(made);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

async function bundle(outDir) {
  const manifest = {};
  for (const mode of MODES) {
    await build({ root: here, mode, logLevel: "warn", build: { outDir } });
    const file = join(outDir, `${mode}.manifest.json`);
    Object.assign(manifest, JSON.parse(await readFile(file, "utf8")));
    await rm(file);
  }
  // the form's style went into its script
  for (const [source, entry] of Object.entries(manifest)) {
    if (source.endsWith(".css") && !(await readdir(outDir)).includes(entry.file)) {
      delete manifest[source];
    }
  }
  return manifest;
}

async function measure(folder) {
  const sizes = [];
  for (const name of (await readdir(folder)).sort()) {
    const content = await readFile(join(folder, name));
    sizes.push({ name, bytes: content.length, gzip: gzipSync(content, { level: 9 }).length });
  }
  return sizes;
}

function report(sizes) {
  for (const { name, bytes, gzip } of sizes) {
    console.log(`${name.padEnd(28)} ${kB(bytes)} ${kB(gzip)} gzip`);
  }
  const form = sizes.find(({ name }) => /^form-.*\.js$/.test(name));
  if (form === undefined) {
    throw new Error("the build made no form-*.js");
  }
  if (form.gzip > FORM_LIMIT) {
    throw new Error(`${form.name} is larger than ${kB(FORM_LIMIT).trim()} compressed`);
  }
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);

/** The manifest comes last, since a service that runs meanwhile reads files by it. */
async function replace(made) {
  await mkdir(target, { recursive: true });
  const names = (await readdir(made)).filter((name) => name !== "manifest.json");
  for (const name of [...names, "manifest.json"]) {
    await rename(join(made, name), join(target, name));
  }
  for (const name of await readdir(target)) {
    if (name !== "manifest.json" && !names.includes(name)) {
      await rm(join(target, name), { recursive: true });
    }
  }
}

await run().catch((error) => {
  console.error(`frontend: ${error.message}`);
  process.exitCode = 1;
});
