import { advise } from "../core/advice.ts";
import type { Limit, Overview } from "../core/api.ts";
import { bytes, rounded } from "../core/when.ts";
import { Ago } from "../ui/index.ts";

/** Limits in force, what is used, and what fails. */
export function Figures({ overview }: { overview: Overview }) {
  const { limits, images, disk, failures } = overview;
  return (
    <>
      <section aria-labelledby="ib-limits">
        <h2 id="ib-limits">In force, and in use</h2>
        <dl class="ib-figures">
          <Figure name="Running" says={used(limits.running)} />
          <Figure name="Waiting" says={used(limits.waiting)} />
          <Figure name="Per user" says={allowed(limits.user)} />
          <Figure name="Per repository" says={allowed(limits.repository)} />
          <Figure name="Longest wait" says={rounded(limits.queue_seconds)} />
          <Figure
            name="Images"
            says={String(images.count)}
            {...(images.bytes > 0 && { more: `${bytes(images.bytes)} compressed` })}
          />
          {disk !== null && (
            <Figure
              name="Disk with the logs"
              says={`${bytes(disk.used)} of ${bytes(disk.total)}`}
              more="used"
            />
          )}
        </dl>
      </section>
      <section aria-labelledby="ib-failures">
        <h2 id="ib-failures">
          Failures since <Ago date={overview.since} />
        </h2>
        {failures.length === 0 ? (
          <p class="ib-muted">No build has failed.</p>
        ) : (
          <table class="ib-table">
            <thead>
              <tr>
                <th scope="col">Reason</th>
                <th scope="col">Builds</th>
                <th scope="col">Last</th>
              </tr>
            </thead>
            <tbody>
              {failures.map((failure) => (
                <tr key={failure.reason}>
                  <td>
                    {advise(failure.reason).title} <code>{failure.reason}</code>
                  </td>
                  <td>{failure.count}</td>
                  <td>
                    <Ago date={failure.last} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  );
}

function Figure({ name, says, more }: { name: string; says: string; more?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {says}
        {more !== undefined && <small>{more}</small>}
      </dd>
    </div>
  );
}

function used({ limit, used: now }: Limit): string {
  return limit === null ? `${now ?? 0}, no limit` : `${now ?? 0} of ${limit}`;
}

function allowed({ limit }: Limit): string {
  return limit === null ? "no limit" : `${limit} at once`;
}
