// The whole page: what is asked and drawn on the left, what is read and learnt on the right.
import { useEffect, useState } from "preact/hooks";
import type { Heat } from "../ask/reader";
import { isBoolean, keep, oneOfThese, recall } from "../game/kept";
import { type Pace, PACES } from "../game/rival";
import { play } from "../sound/chimes";
import { Bars, Headline } from "./Bars";
import { Board } from "./Board";
import { Header } from "./Header";
import { useLanguage, WordsOf } from "./language";
import { LearnPanel } from "./LearnPanel";
import { Scoreboard } from "./Scoreboard";
import { Rules, Settings } from "./Settings";
import { Refused } from "./States";
import { useTheme } from "./theme";
import { useDuel } from "./useDuel";
import { useKeys } from "./useKeys";
import { WirePanel } from "./WirePanel";

function useKept<T>(name: string, otherwise: T, fits: (value: unknown) => value is T): [T, (value: T) => void] {
  const [value, set] = useState(() => recall(name, otherwise, fits));
  const change = (next: T) => {
    keep(name, next);
    set(next);
  };
  return [value, change];
}

export function App() {
  const { words, other } = useLanguage();
  const { theme, toggle } = useTheme();
  const [sound, setSound] = useKept("sound", false, isBoolean);
  const [why, setWhy] = useKept("why", true, isBoolean);
  const [pace, setPace] = useKept<Pace>("pace", "calm", oneOfThese(PACES));
  const duel = useDuel(pace, why);
  const { round, moment, reading, learning } = duel;
  const { phase } = round;
  const teaching = phase === "over" || learning.corrections.length > 0 || learning.step.name !== "idle";

  useEffect(() => {
    if (moment && moment.kind !== "noted" && sound) play(moment.kind);
  }, [moment]);
  useEffect(() => {
    if (duel.read?.reading) measured("duel:bars", duel.read.drawing.since);
  }, [duel.read]);
  useKeys({
    enter: () => (phase === "playing" ? duel.settle() : duel.start()),
    clear: duel.clear,
    skip: duel.skip,
    cut: duel.cut,
    heat: () => setWhy(!why),
    digit: duel.type,
  });

  return (
    <WordsOf value={words}>
      <Header
        theme={theme}
        toggleTheme={toggle}
        otherLanguage={other}
        sound={sound}
        toggleSound={() => setSound(!sound)}
      />
      {duel.refused ? (
        <main>
          <Refused error={duel.refused} model={duel.model} onKey={duel.useKey} />
        </main>
      ) : (
        <main class="duel" data-phase={phase}>
          <Scoreboard round={round} leftMs={duel.leftMs} best={duel.best} rival={duel.rival} />
          <Board duel={duel} theme={theme} onHeatShown={heatShown} />
          {phase !== "over" && (
            <section
              class="reading"
              aria-label={words.reading}
              data-testid="reading"
              data-settled={duel.current || undefined}
            >
              <Headline reading={reading} drawn={duel.drawn !== null} />
              <Bars reading={reading} onMeant={duel.thatIs} />
            </section>
          )}
          <WirePanel reach={duel.reach} reading={reading} onCut={duel.cut} />
          {phase !== "playing" && <Settings pace={pace} onPace={setPace} heat={why} onHeat={setWhy} />}
          {phase === "ready" && <Rules />}
          {teaching && <LearnPanel learning={learning} online={duel.reach.online} />}
        </main>
      )}
    </WordsOf>
  );
}

function heatShown(heat: Heat): void {
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
