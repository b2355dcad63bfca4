import { CopyButton } from "../ui/copy-button.tsx";
import type { Links } from "./link.ts";

/** Links to what is in the form: for a colleague, and for a README. */
export function Share({ links }: { links: Links }) {
  const kinds = [
    { name: "Link", text: links.binder },
    { name: "Link with this profile", text: links.form },
    { name: "Badge, Markdown", text: links.badge.markdown },
    { name: "Badge, HTML", text: links.badge.html },
    { name: "Badge, reStructuredText", text: links.badge.rst },
  ];
  return (
    <details class="ib-share">
      <summary>Link and badge</summary>
      <p class="ib-hint">
        Who follows one of them finds this form filled in; it starts nothing by itself.
      </p>
      <ul>
        {kinds.map(({ name, text }) => (
          <li key={name}>
            <span class="ib-share-name">{name}</span>
            <code>{text}</code>
            <CopyButton text={text} label="Copy" />
          </li>
        ))}
      </ul>
    </details>
  );
}
