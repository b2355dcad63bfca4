/** Makes the hub's text field a panel, or leaves the form alone. */

import { render } from "preact";
import { Service } from "../service/client.ts";
import { hubToken } from "../service/credentials.ts";
import { Controls } from "./controls.ts";
import { hubData, pageData } from "./data.ts";
import { fancyForm } from "./fancy.ts";
import { brought } from "./link.ts";
import { Panel } from "./panel.tsx";
import { stockForm } from "./stock.ts";
import { EMPTY } from "./wish.ts";

/** Put the panel into the page; does nothing where there is no form that offers to build. */
export async function enhance(page: Window): Promise<void> {
  const data = pageData(page.document);
  const { user, xsrf_token: xsrf } = hubData(page);
  if (data === null || !user || !xsrf) {
    return;
  }
  await formIsReady(page);
  const form =
    stockForm(page.document, data.option) ?? (await fancyForm(page.document, data.option));
  if (form === null || form.offering().length === 0) {
    return;
  }
  const controls = new Controls(form);
  try {
    controls.forget(new URL("v2/", new URL(data.service, page.location.href)).pathname);
    const link = brought(page.location.hash);
    if (link !== null) {
      await controls.choose(link.profile);
    }
    const text = controls.active?.input.value || data.prefill;
    const credentials = hubToken({ hub: data.hub, user, service: data.service_name, xsrf });
    const service = new Service(new URL(data.service, page.location.href).href, credentials);
    const initial = link?.draft ?? { ...EMPTY, text, given: true };
    render(
      <Panel service={service} data={data} controls={controls} initial={initial} viewer={user} />,
      controls.host,
    );
  } catch (error) {
    controls.release();
    throw error;
  }
  // another link in the same tab changes nothing but the fragment
  page.addEventListener("hashchange", () => {
    if (brought(page.location.hash) !== null) {
      page.location.reload();
    }
  });
}

/** The form's own script fills in what was saved when the page is ready: that comes first. */
function formIsReady(page: Window): Promise<void> {
  const { jQuery } = page as unknown as { jQuery?: (ready: () => void) => void };
  return new Promise((resolve) => {
    if (jQuery) {
      jQuery(() => resolve());
    } else if (page.document.readyState === "loading") {
      page.document.addEventListener("DOMContentLoaded", () => resolve());
    } else {
      resolve();
    }
  });
}
