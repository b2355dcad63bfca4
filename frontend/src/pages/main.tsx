/** The service's own pages: images, a build, links, and what admins see. */

import { render } from "preact";
import { Service } from "../service/client.ts";
import { session } from "../service/credentials.ts";
import { followTheme } from "../ui/index.ts";
import { AdminPage } from "./admin.tsx";
import { BuildPage } from "./build.tsx";
import { ContentPage } from "./content.tsx";
import { ImagesPage } from "./images.tsx";
import { LinkPage } from "./link.tsx";
import { type Page, pageOf } from "./page.ts";
import "./pages.css";
import "./lists.css";

function content(page: Page, service: Service) {
  switch (page.page) {
    case "build":
      return <BuildPage page={page} service={service} id={page.build ?? ""} />;
    case "admin":
      return <AdminPage page={page} service={service} />;
    case "link":
      return <LinkPage page={page} service={service} />;
    case "content":
      return <ContentPage />;
    default:
      return <ImagesPage page={page} service={service} />;
  }
}

const page = pageOf(document);
const root = document.getElementById("imagebuilder");
followTheme();
if (page !== null && root !== null) {
  render(content(page, new Service(page.service, session(page.xsrf))), root);
}
