// A model one can ask again and again while something is drawn or typed: the latest question wins,
// and what comes back is the latest reading, its round trip, and the refusal if there was one.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Card } from "../api/card";
import { Away, infer } from "../api/server";
import type { Tensor } from "../api/tensor";
import { read, type Reading } from "../model/decode";
import { Latest } from "./latest";
import { Stopwatch, type RoundTrip } from "./roundtrip";

export interface Asked {
  reading: Reading | null;
  trip: RoundTrip | null;
  refusal: Error | null;
}

export interface Asking extends Asked {
  ask: (tensor: Tensor) => void;
  forget: () => void;
}

const NOTHING: Asked = { reading: null, trip: null, refusal: null };

/** `alive` false says the server is away; the last question is asked again when it is back. */
export function useModel(card: Card, alive: boolean, onAway: () => void): Asking {
  const [asked, setAsked] = useState<Asked>(NOTHING);
  const latestCard = useRef(card);
  latestCard.current = card;
  const last = useRef<Tensor | null>(null);

  const queue = useMemo(() => {
    const watch = new Stopwatch();
    return new Latest<Tensor, Asked>(
      async (tensor) => {
        const now = latestCard.current;
        const { result, trip } = await watch.time(() => infer(now.name, tensor));
        return { reading: read(now, result), trip, refusal: null };
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

  const ask = (tensor: Tensor) => {
    last.current = tensor;
    queue.push(tensor);
  };
  const forget = () => {
    last.current = null;
    queue.drop();
    setAsked((before) => ({ ...NOTHING, trip: before.trip }));
  };
  return { ...asked, ask, forget };
}
