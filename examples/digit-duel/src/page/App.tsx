// The whole page: what is asked and drawn on the left, what is read and learnt on the right.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useReader } from "../ask/useReader";
import { type Drawing, drawingOf, type Heat } from "../ask/reader";
import type { Pen, Sheet } from "../draw/sheet";
import { type Attempt, rowsOf } from "../game/attempt";
import { isBoolean, keep, oneOfThese, recall } from "../game/kept";
import { type Pace, PACES } from "../game/rival";
import { answerOf } from "../game/task";
import { useGame } from "../game/useGame";
import { Control } from "../learn/server";
import { useLearning } from "../learn/useLearning";
import { play } from "../sound/chimes";
import { Bars, Headline } from "./Bars";
import { Controls, Toast } from "./Controls";
import { Equation } from "./Equation";
import { Header } from "./Header";
import { HeatLayer } from "./HeatLayer";
import { useLanguage, WordsOf } from "./language";
import { LearnPanel } from "./LearnPanel";
import { Over } from "./Over";
import { type Ink, Pad } from "./Pad";
import { Scoreboard } from "./Scoreboard";
import { Rules, Settings } from "./Settings";
import { Refused } from "./States";
import { useTheme } from "./theme";
import { useKeys } from "./useKeys";
import { WirePanel } from "./WirePanel";

const MODEL = new URLSearchParams(location.search).get("model") || "duel-digits";
/** The server whose page this is, two folders up. */
const SERVER = new URL("../..", document.baseURI).href.replace(/\/$/, "");
/** After so much rest a sure answer that is not the right one counts. */
const REST_MS = 1_200;

function useKept<T>(name: string, otherwise: T, fits: (value: unknown) => value is T): [T, (value: T) => void] {
  const [value, set] = useState(() => recall(name, otherwise, fits));
  return [
    value,
    (next) => {
      keep(name, next);
      set(next);
    },
  ];
}

export function App() {
  const { words: t, other } = useLanguage();
  const { theme, toggle } = useTheme();
  const [sound, setSound] = useKept("sound", false, isBoolean);
  const [why, setWhy] = useKept("why", true, isBoolean);
  const [pace, setPace] = useKept<Pace>("pace", "calm", oneOfThese(PACES));
  const [key, setKey] = useState("");
  const [pen, setPen] = useState<Pen>("medium");
  const [resting, setResting] = useState(false);
  const [emptied, setEmptied] = useState(0);
  const [drawn, setDrawn] = useState<Drawing | null>(null);
  const [attempts, setAttempts] = useState<Attempt[]>([]);
  const [shaken, setShaken] = useState(0);
  const sheet = useRef<Sheet | null>(null);
  const game = useGame(pace);
  const reader = useReader(SERVER, MODEL, key, why);
  const control = useMemo(() => new Control(SERVER, reader.fetch, key), [key]);
  const learning = useLearning(control, MODEL, reader.renew);
  const { round, moment } = game;
  const playing = round.phase === "playing";
  const over = round.phase === "over";
  const read = reader.read;
  const reading = drawn ? (read?.reading ?? null) : null;
  const wanted = answerOf(round.task);

  const clear = () => {
    sheet.current?.clear();
    setEmptied((count) => count + 1);
    setResting(false);
    setDrawn(null);
    reader.forget();
  };
  const onInk = ({ plane, since, resting: rests }: Ink) => {
    const drawing = drawingOf(plane, since);
    setResting(rests);
    setDrawn(drawing);
    if (drawing) reader.ask(drawing);
    if (rests) dispatchEvent(new CustomEvent("duel:drawn", { detail: sheet.current!.strokes }));
  };
  /** Takes what was read as the answer. */
  const settle = () => {
    if (!reading?.sure || !drawn) return setShaken((count) => count + 1);
    const pixels = rowsOf(drawn.seen);
    const right = reading.best === wanted;
    const attempt = { id: attempts.length, pixels, wanted, read: String(reading.best), right, meant: null };
    setAttempts([...attempts, attempt]);
    game.answer(reading.best);
    clear();
  };
  const correct = (pixels: number[][], said: string, digit: number) => {
    if (said === String(digit)) return;
    learning.add({ pixels, label: String(digit), read: said });
    game.note(digit);
  };
  const meant = (attempt: Attempt, digit: number) => {
    setAttempts(attempts.map((one) => (one.id === attempt.id ? { ...one, meant: digit } : one)));
    correct(attempt.pixels, attempt.read, digit);
  };
  const missed = moment?.kind === "wrong" ? attempts.findLast(({ right }) => !right) : undefined;
  const start = () => {
    setAttempts([]);
    clear();
    game.start();
  };
  const cut = () => {
    if (reader.reach.cut || reader.reach.here) reader.cut(!reader.reach.cut);
  };

  useEffect(() => {
    // Right at once, where the pen rests; anything else after a while, as a stroke may be missing.
    const current = read?.drawing === drawn && drawn !== null && resting && playing;
    if (!current || !reading?.sure) return;
    if (reading.best === wanted) return settle();
    const timer = setTimeout(settle, REST_MS);
    return () => clearTimeout(timer);
  }, [read, drawn, resting, playing]);
  useEffect(() => {
    if (moment?.kind === "over") clear();
    if (moment && moment.kind !== "noted" && sound) play(moment.kind);
  }, [moment]);
  useEffect(() => {
    if (sheet.current) sheet.current.pen = pen;
  }, [pen, over]);
  useEffect(() => {
    if (over) sheet.current = null; // its canvas is gone; the next round has another
  }, [over]);
  useEffect(() => {
    if (read?.reading) measured("duel:bars", read.drawing.since);
  }, [read]);
  useKeys({
    enter: () => (playing ? settle() : start()),
    clear,
    skip: () => {
      if (!playing) return;
      clear();
      game.skip();
    },
    cut,
    heat: () => setWhy(!why),
    digit: (digit) => {
      if (!playing) return;
      clear();
      game.answer(digit);
    },
  });

  const header = (
    <Header theme={theme} toggleTheme={toggle} otherLanguage={other} sound={sound} toggleSound={() => setSound(!sound)} />
  );
  if (reader.refused) {
    return (
      <WordsOf value={t}>
        {header}
        <main>
          <Refused error={reader.refused} model={MODEL} onKey={setKey} />
        </main>
      </WordsOf>
    );
  }
  return (
    <WordsOf value={t}>
      {header}
      <main class="duel" data-phase={round.phase}>
        <Scoreboard round={round} leftMs={game.leftMs} best={game.best} rival={game.rival} />
        <section class="board" aria-label={t.board}>
          {over ? (
            <Over round={round} rival={game.rival} record={game.record} attempts={attempts} onAgain={start} onMeant={meant} />
          ) : (
            <>
              <Equation task={round.task} />
              <div class="paper" key={shaken} data-shaken={shaken || undefined}>
                <Pad theme={theme} sheet={sheet} emptied={emptied} hint={playing ? t.hint : t.warmUp} onInk={onInk}>
                  <HeatLayer heat={reader.heat} ground={theme} onShown={shown} />
                </Pad>
                <Toast moment={moment} wanted={missed?.wanted ?? 0} onItWas={missed?.meant === null ? () => meant(missed, missed.wanted) : null} />
              </div>
              <Controls playing={playing} pen={pen} onPen={setPen} onClear={clear} onSkip={() => (clear(), game.skip())} onSubmit={settle} onStart={start} />
            </>
          )}
        </section>
        <section class="reading" aria-label={t.reading} data-testid="reading" data-settled={(resting && read?.drawing === drawn) || undefined}>
          <Headline reading={reading} drawn={drawn !== null} />
          <Bars
            reading={reading}
            onMeant={reading && drawn && resting ? (digit) => (correct(rowsOf(drawn.seen), String(reading.best), digit), clear()) : null}
          />
        </section>
        <WirePanel reach={reader.reach} reading={reading} onCut={reader.cut} />
        {!playing && <Settings pace={pace} onPace={setPace} heat={why} onHeat={setWhy} />}
        <LearnPanel
          corrections={learning.corrections}
          step={learning.step}
          online={reader.reach.online}
          onDrop={learning.drop}
          onLearn={learning.teach}
          onTake={learning.take}
          onLeave={learning.leave}
        />
        {round.phase === "ready" && <Rules />}
      </main>
    </WordsOf>
  );
}

function shown(heat: Heat): void {
  measured("duel:heat", heat.drawing.since);
}

/** From the pen's last move to the picture that shows what came of it, for whoever measures. */
function measured(name: string, since: number): void {
  requestAnimationFrame(() => {
    const painted = new MessageChannel();
    painted.port1.onmessage = () => performance.measure(name, { start: since, end: performance.now() });
    painted.port2.postMessage(null); // comes after the frame
  });
}
