import type { Build } from "../core/api.ts";
import { bytes } from "../core/when.ts";
import { Ago, CopyButton } from "../ui/index.ts";
import { refName } from "./listing.ts";
import { absolute, buildAddress, type Page } from "./page.ts";

/** What is known of a build, and who sees it. */
export function Facts({ page, build }: { page: Page; build: Build }) {
  const ref = refName(build);
  return (
    <dl class="ib-dl">
      <dt>Repository</dt>
      <dd>
        {/^https?:\/\//i.test(build.repository) ? (
          <a href={build.repository} rel="noreferrer">
            {build.repository}
          </a>
        ) : (
          build.repository
        )}
      </dd>
      {ref !== null && (
        <>
          <dt>Branch or tag</dt>
          <dd>{ref}</dd>
        </>
      )}
      <dt>Commit</dt>
      <dd>
        <code>{build.commit}</code>
      </dd>
      {build.phase === "built" && (
        <>
          <dt>Image</dt>
          <dd class="ib-with-copy">
            <code>{build.image}</code> <CopyButton label="Copy name" text={build.image} />
          </dd>
        </>
      )}
      {build.size !== null && (
        <>
          <dt>Size</dt>
          <dd>{bytes(build.size)} compressed</dd>
        </>
      )}
      <dt>Asked for</dt>
      <dd>
        <Ago date={build.created} />
        {build.owner !== null && build.owner !== page.user.name && <> by {build.owner}</>}
      </dd>
      <dt>This page</dt>
      <dd class="ib-with-copy">
        <span>
          {build.published
            ? "is for everybody on this hub."
            : "is for those who asked for this build, and for admins."}
        </span>{" "}
        <CopyButton label="Copy its address" text={() => absolute(buildAddress(page, build.id))} />
      </dd>
    </dl>
  );
}
