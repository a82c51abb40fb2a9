// The board: what is asked, the paper and what is done with it; and when time is up, what came of it.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Heat } from "../ask/reader";
import type { Pen } from "../draw/sheet";
import type { Ground } from "../draw/tint";
import { Controls, Toast } from "./Controls";
import { Equation } from "./Equation";
import { HeatLayer } from "./HeatLayer";
import { useWords } from "./language";
import { Over } from "./Over";
import { Pad } from "./Pad";
import type { Duel } from "./useDuel";

interface BoardProps {
  duel: Duel;
  theme: Ground;
  onHeatShown: (heat: Heat) => void;
}

const SHAKE = { transform: ["none", "translateX(-6px)", "none", "translateX(6px)", "none"] };
const SHAKE_MS = 280;

export function Board({ duel, theme, onHeatShown }: BoardProps) {
  const t = useWords();
  const paper = useRef<HTMLDivElement>(null);
  const [pen, setPen] = useState<Pen>("medium");
  const { round, missed, sheet } = duel;
  const playing = round.phase === "playing";
  const fresh = round.solved + round.missed === 0;
  const over = round.phase === "over";

  useEffect(() => {
    if (sheet.current) sheet.current.pen = pen;
  }, [pen, over]);
  useEffect(() => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (duel.doubts && !still) paper.current?.animate(SHAKE, SHAKE_MS);
  }, [duel.doubts]);

  if (over) {
    return (
      <section class="board" aria-label={t.board}>
        <Over
          round={round}
          rival={duel.rival}
          record={duel.record}
          attempts={duel.attempts}
          onAgain={duel.start}
          onMeant={duel.meant}
        />
      </section>
    );
  }
  return (
    <section class="board" aria-label={t.board}>
      <Equation task={round.task} />
      <div class="paper" ref={paper}>
        <Pad theme={theme} sheet={sheet} emptied={duel.empties} hint={playing ? (fresh ? t.hint : "") : t.warmUp} onInk={duel.onInk}>
          <HeatLayer heat={duel.heat} ground={theme} onShown={onHeatShown} />
        </Pad>
        <Toast moment={duel.moment} wanted={missed?.wanted ?? 0} onItWas={missed && (() => duel.meant(missed, missed.wanted))} />
      </div>
      <Controls
        playing={playing}
        pen={pen}
        onPen={setPen}
        onClear={duel.clear}
        onSkip={duel.skip}
        onSubmit={duel.settle}
        onStart={duel.start}
      />
    </section>
  );
}
