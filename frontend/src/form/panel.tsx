import { useMemo } from "preact/hooks";
import { Announcer } from "../ui/announcer.tsx";
import { AfterStart } from "./after.tsx";
import { Fields } from "./fields.tsx";
import { linksTo } from "./link.ts";
import { bare, Outlook } from "./outlook.tsx";
import { Progress } from "./progress.tsx";
import { Share } from "./share.tsx";
import { type Props, type State, usePanel } from "./state.ts";
import { spoken } from "./words.ts";

/** From a repository to a server: everything that the choice to build shows. */
export function Panel(props: Props) {
  const state = usePanel(props);
  const { step, going, away } = state;
  return (
    <>
      <Announcer text={away ? "" : spoken(state)} />
      {away ? (
        <p class="ib-notice">
          <button type="button" class="ib-button" onClick={() => comeBack(state)}>
            Try the image builder again
          </button>
        </p>
      ) : step.name === "editing" || step.name === "asking" || step.id === null ? (
        <Editor state={state} {...props} />
      ) : (
        <Progress
          service={props.service}
          id={step.id}
          following={state.following}
          text={step.text}
          starting={step.name === "starting"}
          onRetry={() => step.name === "building" && void going.begin(step.text, step.commit)}
          onRebuild={() => step.id && void going.rebuild(step.id, step.text)}
          onLeave={() => {
            going.edit();
            // the ref may mean another commit by now
            state.outlook.again();
          }}
        />
      )}
      {!away && !state.isImage && <WhenReady state={state} />}
    </>
  );
}

function Editor({ state, data }: Props & { state: State }) {
  const { editing, known, settled, place, underWay, going } = state;
  const { draft } = editing;
  const profile = place?.profile ?? "";
  const links = useMemo(
    () => known && linksTo(data, known, draft, profile, location.href),
    [data, known, draft, profile],
  );
  return (
    <>
      {underWay && underWay.id !== known?.build && (
        <p class="ib-notice">
          Your build of <b>{bare(underWay.repository)}</b> is under way.{" "}
          <button
            type="button"
            class="ib-link"
            onClick={() => {
              state.setStart(false);
              void going.resume(underWay.id, `build:${underWay.provider}/${underWay.spec}`);
            }}
          >
            Show it
          </button>
        </p>
      )}
      <Fields state={state} />
      {known && (
        <>
          <Outlook known={known} settled={settled} linked={draft.linked} />
          <AfterStart editing={editing} canFetch={state.canFetch} owner={state.owner} />
          {links && <Share links={links} />}
        </>
      )}
    </>
  );
}

/** Whether the server starts by itself; where nothing is built there is nothing to choose. */
function WhenReady({ state }: { state: State }) {
  const { step, story, known, start, owner } = state;
  const building = step.name === "building" && !story?.over;
  const wouldBuild = step.name === "editing" && known !== null && !known.cached;
  if (!building && !wouldBuild) {
    return null;
  }
  return (
    <label class="ib-check">
      <input
        type="checkbox"
        checked={start}
        onChange={(event) => state.setStart(event.currentTarget.checked)}
      />
      <span>Start the server{owner === null ? "" : ` for ${owner}`} when the image is ready</span>
    </label>
  );
}

/** The hub's own text field may have another text by now. */
function comeBack({ editing, place, outlook, going }: State): void {
  if (place && place.input.value !== editing.asked) {
    editing.setText(place.input.value);
  }
  going.edit();
  outlook.again();
}
