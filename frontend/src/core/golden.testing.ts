/** The transcripts that the service's own tests hold it to. */

import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../../tests/golden/", import.meta.url);

export function golden(name: string): string {
  return readFileSync(new URL(`${name}.txt`, FOLDER), "utf8");
}

/** Names of the transcripts that begin so. */
export function transcripts(prefix: string): string[] {
  const names = readdirSync(FOLDER).map((file) => file.replace(/\.txt$/, ""));
  return names.filter((name) => name.startsWith(prefix)).sort();
}
