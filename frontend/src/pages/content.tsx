import { useEffect, useState } from "preact/hooks";
import { wasWanted } from "../core/wanted.ts";
import { hasPuller, type Pull, pulling, pullOf } from "./puller.ts";

type Found = "asking" | "looking" | "none" | "unknown";

interface Props {
  query?: string;
  /** Whether the hub's form sent the user here: else it is asked first. */
  fromHub?: boolean;
  look?: (server: string) => Promise<boolean | null>;
  go?: (address: string) => void;
}

/** Between a server's start and its first page: the repository's content goes into the home. */
export function ContentPage({
  query = location.search,
  fromHub = wasWanted(location.search, () => sessionStorage),
  look = hasPuller,
  go = (address) => location.replace(address),
}: Props) {
  const [pull] = useState<Pull>(() => pullOf(query));
  const [found, setFound] = useState<Found>(fromHub ? "looking" : "asking");

  // biome-ignore lint/correctness/useExhaustiveDependencies: looked for once, when it is wanted
  useEffect(() => {
    if (found !== "looking") {
      return;
    }
    look(pull.server).then((there) => {
      if (there) {
        go(pulling(pull));
      } else {
        setFound(there === false ? "none" : "unknown");
      }
    });
  }, [found]);

  const toServer = (
    <a class="ib-button ib-primary" href={pull.server + pull.path}>
      Go to the server
    </a>
  );
  if (found === "asking") {
    return (
      <section class="ib-empty">
        <h1>Put this repository into your home?</h1>
        <p>
          <code>{pull.repository}</code>
        </p>
        <p>Files of yours are not overwritten. Only go on if you trust whoever sent you here.</p>
        <div class="ib-actions">
          <button type="button" class="ib-button" onClick={() => setFound("looking")}>
            Put it into my home
          </button>
          {toServer}
        </div>
      </section>
    );
  }
  if (found === "looking") {
    return (
      <section class="ib-empty" role="status">
        <h1>Putting the repository's files into your home…</h1>
        <p>If this takes long, go to the server without them.</p>
        {toServer}
      </section>
    );
  }
  return (
    <section class="ib-empty" role="status">
      <h1>The repository's files were not put into your home</h1>
      <p>
        {found === "none" ? (
          <>
            This image has no nbgitpuller, which does that. Add <code>nbgitpuller</code> to the
            repository's environment, commit, and build again.
          </>
        ) : (
          "The server did not say whether it has nbgitpuller. Your files are as they were."
        )}
      </p>
      {toServer}
    </section>
  );
}
