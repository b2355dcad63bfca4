/** What the user is told about the page as a whole. */
export function Notices({ away, errors }: { away: boolean; errors: readonly (string | null)[] }) {
  const told = [...new Set(errors.filter((error) => error !== null))];
  return (
    <>
      {/* spoken by the page's announcer */}
      {away && (
        <p class="ib-notice">
          The image builder does not answer just now. This page goes on by itself when it does.
        </p>
      )}
      {told.map((error) => (
        <p key={error} class="ib-notice ib-wrong" role="alert">
          {error}
        </p>
      ))}
    </>
  );
}

/** What the announcer says of it. */
export const AWAY = "The image builder does not answer.";
