/** Everything that pages and form share; its style comes with it. */

import "./ui.css";
import "./log.css";
import "./field.css";

export { Ago } from "./ago.tsx";
export { Announcer, announcement, REFUSED } from "./announcer.tsx";
export { Combobox, type Option } from "./combobox.tsx";
export { Confirm } from "./confirm.tsx";
export { CopyButton } from "./copy-button.tsx";
export { downloadLog } from "./download.ts";
export { Failure } from "./failure.tsx";
export { LogView } from "./log-view.tsx";
export { useNow } from "./now.ts";
export { ordinal, Stages } from "./stages.tsx";
export { followTheme } from "./theme.ts";
export { type Following, useBuild } from "./use-build.ts";
export { useOutlook } from "./use-outlook.ts";
export { say } from "./voice.ts";
