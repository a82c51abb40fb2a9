// The game as the page plays it: drawings are read, readings become answers, and what was read
// wrongly becomes a correction.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Drawing, drawingOf } from "../ask/reader";
import { useReader } from "../ask/useReader";
import type { Sheet } from "../draw/sheet";
import { type Attempt, rowsOf } from "../game/attempt";
import type { Reading } from "../game/reading";
import type { Pace } from "../game/rival";
import { answerOf } from "../game/task";
import { useGame } from "../game/useGame";
import { Control } from "../learn/server";
import { useLearning } from "../learn/useLearning";
import type { Ink } from "./Pad";

const MODEL = new URLSearchParams(location.search).get("model") || "duel-digits";
/** The server whose page this is, two folders up. */
const SERVER = new URL("../..", document.baseURI).href.replace(/\/$/, "");
/** After so much rest a sure answer that is not the right one counts: a stroke may have been missing. */
const REST_MS = 1_200;

export function useDuel(pace: Pace, why: boolean) {
  const [key, setKey] = useState("");
  const [resting, setResting] = useState(false);
  const [drawn, setDrawn] = useState<Drawing | null>(null);
  const [taken, setTaken] = useState<Reading | null>(null);
  const [attempts, setAttempts] = useState<Attempt[]>([]);
  const [empties, setEmpties] = useState(0);
  const [doubts, setDoubts] = useState(0);
  const sheet = useRef<Sheet | null>(null);
  const game = useGame(pace);
  const reader = useReader(SERVER, MODEL, key, why);
  const control = useMemo(() => new Control(SERVER, reader.fetch, key), [key]);
  const learning = useLearning(control, MODEL, reader.renew);
  const { phase, task } = game.round;
  const playing = phase === "playing";
  const reading = drawn ? (reader.read?.reading ?? null) : null;
  const current = resting && reading !== null && reader.read?.drawing === drawn;

  const emptied = (last: Reading | null) => {
    setEmpties((count) => count + 1);
    setResting(false);
    setDrawn(null);
    setTaken(last);
    reader.forget();
  };
  const clear = () => {
    sheet.current?.clear();
    emptied(null);
  };
  const onInk = ({ plane, since, resting: rests }: Ink) => {
    const drawing = drawingOf(plane, since);
    setResting(rests);
    setDrawn(drawing);
    if (drawing) reader.ask(drawing);
    if (rests) dispatchEvent(new CustomEvent("duel:drawn", { detail: sheet.current!.strokes }));
  };
  /** Takes what is read as the answer; where it is unsure, nothing is taken. */
  const settle = () => {
    if (!reading?.sure || !drawn) return setDoubts((count) => count + 1);
    const wanted = answerOf(task);
    const attempt = { id: attempts.length, pixels: rowsOf(drawn.seen), wanted, read: reading.best, meant: null };
    setAttempts([...attempts, attempt]);
    game.answer(reading.best);
    sheet.current?.leave();
    emptied(reading);
  };
  const correct = (pixels: number[][], read: number, digit: number) => {
    learning.add({ pixels, label: String(digit), read: String(read) });
    game.note(digit);
  };
  /** Says what the drawing on the sheet is; what it was sure of rightly it need not learn. */
  const say = (digit: number, { best, sure }: Reading, { seen }: Drawing) => {
    if (best !== digit || !sure) correct(rowsOf(seen), best, digit);
    clear();
  };
  const meant = (attempt: Attempt, digit: number) => {
    setAttempts(attempts.map((one) => (one.id === attempt.id ? { ...one, meant: digit } : one)));
    if (attempt.read !== digit) correct(attempt.pixels, attempt.read, digit);
  };
  const last = attempts.at(-1);
  const missed = game.moment?.kind === "wrong" && last && last.read === game.moment.digit ? last : null;

  useEffect(() => {
    if (!current || !playing || !reading?.sure) return;
    if (reading.best === answerOf(task)) return settle();
    const timer = setTimeout(settle, REST_MS);
    return () => clearTimeout(timer);
  }, [reader.read, current, playing]);
  useEffect(() => {
    if (phase !== "over") return;
    clear();
    sheet.current = null; // its canvas is gone; the next round has another
  }, [phase]);

  return {
    ...game,
    sheet,
    drawn,
    /** What is read of the sheet; on an empty one, what was taken as the last answer. */
    reading: drawn ? reading : taken,
    current,
    heat: reader.heat,
    read: reader.read,
    reach: reader.reach,
    refused: reader.refused,
    model: MODEL,
    useKey: setKey,
    empties,
    doubts,
    attempts,
    learning,
    onInk,
    clear,
    settle,
    meant,
    thatIs: current && reading && drawn ? (digit: number) => say(digit, reading, drawn) : null,
    /** The wrong answer that was just read, where nobody has said yet what it was. */
    missed: missed && missed.meant === null ? missed : null,
    start: () => {
      setAttempts([]);
      clear();
      game.start();
    },
    skip: () => {
      if (!playing) return;
      clear();
      game.skip();
    },
    type: (digit: number) => {
      if (!playing) return;
      clear();
      game.answer(digit);
    },
    cut: () => {
      if (reader.reach.cut || reader.reach.here) reader.cut(!reader.reach.cut);
    },
  };
}

export type Duel = ReturnType<typeof useDuel>;
