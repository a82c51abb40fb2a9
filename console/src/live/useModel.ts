// A model one can ask again and again while something is drawn or typed: the latest question wins,
// and what comes back is the latest reading, its round trip, and the refusal if there was one. Why
// it says so is asked beside: that takes longer, and no answer shall wait for it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Card } from "../api/card";
import { Away } from "../api/server";
import type { Reading } from "../model/decode";
import type { Question } from "../model/question";
import { Latest } from "./latest";
import { Stopwatch, type RoundTrip } from "./roundtrip";
import { useWhy, type Why } from "./useWhy";

export interface Asked {
  reading: Reading | null;
  trip: RoundTrip | null;
  refusal: Error | null;
}

export interface Asking<Given> extends Asked {
  why: Why<Given>;
  ask: (question: Question<Given>) => void;
  forget: () => void;
}

const NOTHING: Asked = { reading: null, trip: null, refusal: null };

/** `alive` false says the server is away; the last question is asked again when it is back. */
export function useModel<Given>(card: Card, alive: boolean, onAway: () => void): Asking<Given> {
  const [asked, setAsked] = useState<Asked>(NOTHING);
  const latestCard = useRef(card);
  latestCard.current = card;
  const last = useRef<Question<Given> | null>(null);
  const explaining = useWhy<Given>(card, alive, onAway);

  const queue = useMemo(() => {
    const watch = new Stopwatch();
    return new Latest<Question<Given>, Asked>(
      async (question) => {
        const { result, trip } = await watch.time(() => question.answer(latestCard.current));
        return { reading: result, trip, refusal: null };
      },
      setAsked,
      (error) => {
        if (error instanceof Away) onAway();
        else setAsked({ ...NOTHING, refusal: error as Error });
      },
    );
  }, []);

  useEffect(() => {
    if (alive && last.current) queue.push(last.current);
  }, [alive, card.digest]);

  useEffect(() => () => queue.drop(), []);

  const ask = (question: Question<Given>) => {
    last.current = question;
    queue.push(question);
    explaining.ask(question);
  };
  const forget = () => {
    last.current = null;
    queue.drop();
    explaining.forget();
    setAsked((before) => ({ ...NOTHING, trip: before.trip }));
  };
  const { why } = explaining;
  return { ...asked, refusal: asked.refusal ?? why.refusal, why, ask, forget };
}
