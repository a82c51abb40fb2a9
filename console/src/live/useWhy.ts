// Why a model answers so, asked whenever the model is: of the latest question the explanation wins,
// whatever was asked before. Whether one wants to know is remembered as long as the tab is open.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Card } from "../api/card";
import { Away, explain, type Wanted } from "../api/server";
import type { Question } from "../model/question";
import { remember, remembered } from "../session";
import { asksAny, type Attribution, readAttribution } from "../why/attribution";
import { Latest } from "./latest";

const KEY = "numen.why";

export interface Told<Given> {
  attribution: Attribution;
  /** What was asked about. */
  given: Given;
}

export interface Why<Given> {
  /** The ways in which the model's answers are explained; of none there is nothing to switch on. */
  methods: string[];
  on: boolean;
  toggle: () => void;
  method: string;
  choose: (method: string) => void;
  /** The place of the label that is asked about; null is the likeliest. */
  label: number | null;
  /** Asks about another label; null where the model knows no others. */
  askAbout: ((label: number | null) => void) | null;
  told: Told<Given> | null;
  refusal: Error | null;
}

type Heard<Given> = Pick<Why<Given>, "told" | "refusal">;
const NOTHING = { told: null, refusal: null };

interface Explaining<Given> {
  why: Why<Given>;
  ask: (question: Question<Given>) => void;
  forget: () => void;
}

export function useWhy<Given>(card: Card, alive: boolean, onAway: () => void): Explaining<Given> {
  const methods = card.explains?.methods ?? [];
  const [wanted, setWanted] = useState(() => remembered(KEY) !== "");
  const [chosen, choose] = useState("");
  const [label, setLabel] = useState<number | null>(null);
  const [heard, setHeard] = useState<Heard<Given>>(NOTHING);
  const last = useRef<Question<Given> | null>(null);
  const on = wanted && methods.length > 0;
  const method = methods.includes(chosen) ? chosen : (methods[0] ?? "");

  const wish: Wanted = label === null ? { method } : { method, target: label };
  const now = useRef({ card, on, wish });
  now.current = { card, on, wish };
  const queue = useMemo(
    () =>
      new Latest<Question<Given>, Told<Given>>(
        async ({ input, given }) => {
          const { card: asked, wish: so } = now.current;
          const answer = await explain(asked.name, await input!(asked), so);
          return { attribution: readAttribution(asked, answer, so), given };
        },
        (told) => setHeard({ told, refusal: null }),
        (error) => {
          if (error instanceof Away) onAway();
          else setHeard({ told: null, refusal: error as Error });
        },
      ),
    [],
  );

  useEffect(() => {
    queue.drop(); // what is on its way was asked otherwise
    if (!on) setHeard(NOTHING);
    else if (alive && last.current?.input) queue.push(last.current);
  }, [alive, card.digest, on, method, label]);
  useEffect(() => () => queue.drop(), []);

  const ask = (question: Question<Given>) => {
    last.current = question;
    if (now.current.on && question.input) queue.push(question);
  };
  const forget = () => {
    last.current = null;
    queue.drop();
    setLabel(null);
    setHeard(NOTHING);
  };
  const toggle = () => {
    remember(KEY, wanted ? "" : "yes");
    setWanted(!wanted);
  };
  const askAbout = on && asksAny(card) ? setLabel : null;
  return { why: { methods, on, toggle, method, choose, label, askAbout, ...heard }, ask, forget };
}
