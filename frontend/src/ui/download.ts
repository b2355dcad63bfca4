import type { Log } from "../core/log.ts";
import type { Service } from "../service/client.ts";

/** Milliseconds until the browser has certainly begun to read what it was given. */
const BEGUN = 10_000;

/**
 * Save a build's log as a file: the whole of it as the service keeps it.
 *
 * The service's own ends with the build, so of one that goes on it is what came by now; as it is
 * where the service does not answer.
 */
export async function downloadLog(
  service: Pick<Service, "log">,
  id: string,
  over: boolean,
  log: Log,
): Promise<void> {
  const here = () => new Blob([log.text()], { type: "text/plain" });
  const content = over ? await service.log(id).catch(here) : here();
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = `build-${id}.log`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), BEGUN);
}
