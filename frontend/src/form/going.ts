import { useCallback, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import type { ServiceError } from "../service/errors.ts";
import { failure } from "../ui/use-outlook.ts";

/** Where the panel is on the way to a server. */
export type Step =
  | { name: "editing" }
  /** The build has been asked for, or is looked up after a reload. */
  | { name: "asking" }
  | { name: "building"; id: string; text: string; commit: string }
  | { name: "starting"; id: string | null; text: string };

/** The way, and what leads along it. */
export interface Going {
  step: Step;
  /** Why the build did not begin; null: nothing is wrong. */
  trouble: ServiceError | null;
  /** The text that `trouble` is about. */
  about: string;
  away: boolean;
  begin: (text: string, commit: string | null) => Promise<void>;
  rebuild: (id: string, text: string) => Promise<void>;
  /** Take up a build that was begun before. */
  resume: (id: string, text: string) => Promise<boolean>;
  starting: (text: string) => void;
  edit: () => void;
}

const EDITING: Step = { name: "editing" };
const WELL = { error: null, away: false, about: "" };

export function useGoing(service: Service): Going {
  const [step, setStep] = useState<Step>(EDITING);
  const [{ error, away, about }, setTrouble] = useState<
    ReturnType<typeof failure> & { about: string }
  >(WELL);
  const enter = useCallback(async (text: string, ask: () => Promise<Build>): Promise<boolean> => {
    setTrouble(WELL);
    setStep({ name: "asking" });
    try {
      const { id, commit } = await ask();
      setStep({ name: "building", id, text, commit });
      return true;
    } catch (problem) {
      setTrouble({ ...failure(problem), about: text });
      setStep(EDITING);
      return false;
    }
  }, []);
  return {
    step,
    trouble: error,
    about,
    away,
    begin: useCallback(
      async (text, commit) => {
        await enter(text, () => service.begin(text, commit ?? undefined));
      },
      [service, enter],
    ),
    rebuild: useCallback(
      async (id, text) => {
        await enter(text, () => service.rebuild(id));
      },
      [service, enter],
    ),
    resume: useCallback(
      async (id, text) => {
        const there = await enter(text, () => service.build(id));
        // it is gone or out of reach: what the fields say holds, without a word of it
        setTrouble(WELL);
        return there;
      },
      [service, enter],
    ),
    starting: useCallback((text) => {
      setStep((before) => ({
        name: "starting",
        id: before.name === "building" ? before.id : null,
        text,
      }));
    }, []),
    edit: useCallback(() => {
      setTrouble(WELL);
      setStep(EDITING);
    }, []),
  };
}
