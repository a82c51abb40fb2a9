// Which models the server has: asked every two seconds while it is away or has none, else now and
// then, so that a new version shows by itself. Nothing is asked while the page is hidden.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Card } from "../api/card";
import { listModels, Refused } from "../api/server";

const SOON_MS = 2_000;
const LATER_MS = 10_000;

export interface Models {
  /** Null until the server has answered once. */
  cards: Card[] | null;
  away: boolean;
  /** Why the server does not say, where it wants a key or another one. */
  refused: Refused | null;
  /** Asks again at once. */
  retry: () => void;
  /** Says that a call found the server away. */
  onAway: () => void;
}

export function useModels(): Models {
  const [cards, setCards] = useState<Card[] | null>(null);
  const [away, setAway] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const retrySoon = useRef(() => {});
  const retryNow = useRef(() => {});
  const knownAway = useRef(false);
  knownAway.current = away;

  useEffect(() => {
    let timer = 0;
    let round = 0;
    const look = async () => {
      const mine = ++round;
      let wait = SOON_MS;
      try {
        const found = document.hidden ? null : await listModels();
        if (mine !== round) return;
        if (found) {
          setCards((before) => (same(before, found) ? before : found));
          setAway(false);
          setRefused(null);
          if (found.length) wait = LATER_MS;
        }
      } catch (error) {
        if (mine !== round) return;
        const known = error instanceof Refused && error.unknown;
        setRefused(known ? error : null);
        setAway(!known);
        if (known) wait = LATER_MS;
      }
      again(wait);
    };
    const again = (wait: number) => {
      clearTimeout(timer);
      timer = window.setTimeout(look, wait);
    };
    retrySoon.current = () => again(SOON_MS);
    retryNow.current = () => void look();
    const shown = () => document.hidden || void look();
    document.addEventListener("visibilitychange", shown);
    void look();
    return () => {
      round = -1;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, []);

  const onAway = () => {
    if (knownAway.current) return;
    setAway(true);
    retrySoon.current();
  };
  return { cards, away, refused, retry: () => retryNow.current(), onAway };
}

function same(before: Card[] | null, found: Card[]): boolean {
  return JSON.stringify(before) === JSON.stringify(found);
}
