// A game as the page plays it: the round, its clock, the rival, and the best score of all.
import { useEffect, useRef, useState } from "preact/hooks";
import { isNumber, keep, recall } from "./kept";
import { type Random, seeded } from "./random";
import { type Pace, plan, type Plan, scoreAt } from "./rival";
import { answered, begin, left, passed, points, ready, type Round, skipped } from "./round";
import { answerOf } from "./task";

const TICK_MS = 100;

/** What just happened, to be shown and heard; `id` tells two alike apart. */
export interface Moment {
  id: number;
  kind: "begin" | "right" | "wrong" | "over" | "noted";
  /** The digit that was answered, or the points it brought. */
  digit: number;
  gained: number;
}

/** The seed may be said in the address, so that a round can be played again. */
function chance(): Random {
  const said = Number(new URLSearchParams(location.search).get("seed"));
  return seeded(said || Math.floor(Math.random() * 2 ** 32));
}

export function useGame(pace: Pace) {
  const [random] = useState(chance);
  const [round, setRound] = useState<Round>(() => ready(random));
  const [now, setNow] = useState(0);
  const [rival, setRival] = useState<Plan>([]);
  const [best, setBest] = useState(() => recall("best", 0, isNumber));
  const [record, setRecord] = useState(false);
  const [moment, setMoment] = useState<Moment | null>(null);
  const counted = useRef(0);
  const playing = round.phase === "playing";
  const tell = (kind: Moment["kind"], digit = 0, gained = 0) => {
    setMoment({ id: ++counted.current, kind, digit, gained });
  };

  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      const at = performance.now();
      setNow(at);
      setRound((before) => passed(before, at));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [playing, round.since]);

  useEffect(() => {
    if (round.phase !== "over") return;
    const first = round.score > best;
    setRecord(first);
    if (first) {
      setBest(round.score);
      keep("best", round.score);
    }
    tell("over");
  }, [round.phase]);

  const start = () => {
    const at = performance.now();
    setNow(at);
    setRecord(false);
    setRival(plan(pace, random));
    setRound(begin(random, at));
    tell("begin");
  };
  const answer = (digit: number) => {
    if (!playing) return;
    const right = digit === answerOf(round.task);
    tell(right ? "right" : "wrong", digit, right ? points(round.streak) : 0);
    setRound(answered(round, digit, random));
  };
  return {
    round,
    leftMs: left(round, now),
    rival: pace === "none" ? null : scoreAt(rival, round.phase === "over" ? Infinity : now - round.since),
    best,
    record,
    moment,
    start,
    answer,
    skip: () => setRound(skipped(round, random)),
    note: (digit: number) => tell("noted", digit),
  };
}
