/** The spawn form's script. */

import "../ui/ui.css";
import "../ui/log.css";
import "../ui/field.css";
import "./form.css";
import { enhance } from "./enhance.tsx";

enhance(window).catch((error: unknown) => {
  const away = document.getElementById("imagebuilder-away");
  if (away) {
    away.hidden = false;
  }
  reportError(error);
});
