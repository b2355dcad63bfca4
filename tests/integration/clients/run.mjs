// Lets @jupyterhub/binderhub-client build one repository, and prints what it hears, a line each.
//   node run.mjs <path of its client.js> <provider/spec> <address of /build>
// The token is in the environment, TOKEN.  The exit code is 0 behind `ready`.
import { pathToFileURL } from "node:url";

const [path, spec, endpoint] = process.argv.slice(2);
// it is made for browsers
globalThis.window = globalThis;
globalThis.document = { cookie: "", addEventListener() {}, removeEventListener() {} };
// standard output is the events' alone
console.log = console.error;
// its reason for giving up is among the events already
process.on("unhandledRejection", (reason) => console.error(`${reason}`));

const { BinderRepository } = await import(pathToFileURL(path));
const repository = new BinderRepository(spec, new URL(endpoint), {
  apiToken: process.env.TOKEN,
  buildOnly: true,
});
let last;
for await (const event of repository.fetch()) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
  last = event.phase;
  if (last === "ready" || last === "failed") {
    repository.close();
    break;
  }
}
process.exit(last === "ready" ? 0 : 1);
