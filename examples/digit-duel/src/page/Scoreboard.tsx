// The score of both, the clock between them, and who is ahead as a line that gives way.
import { ROUND_MS, type Round } from "../game/round";
import { useWords } from "./language";

interface ScoreboardProps {
  round: Round;
  leftMs: number;
  best: number;
  /** The rival's score; null when there is none. */
  rival: number | null;
}

const HURRY_MS = 5_000;

export function Scoreboard({ round, leftMs, best, rival }: ScoreboardProps) {
  const t = useWords();
  const seconds = Math.ceil(leftMs / 1000);
  const hurry = round.phase === "playing" && leftMs <= HURRY_MS;
  const all = round.score + (rival ?? 0);
  const mine = rival === null ? leftMs / ROUND_MS : all ? round.score / all : 0.5;
  return (
    <section class="scoreboard" aria-label={t.over.score}>
      <div class="player">
        <span class="who">{t.you}</span>
        <strong data-testid="score">{round.score}</strong>
        {round.streak > 1 ? (
          <em key={round.streak} class="streak" role="img" aria-label={t.streak(round.streak)}>
            <span>{t.streak(round.streak)}</span>
            <b>×{round.streak}</b>
          </em>
        ) : (
          round.phase !== "playing" && best > 0 && <span class="faint">{`${t.best} ${best}`}</span>
        )}
      </div>
      <div class="clock" data-hurry={hurry || undefined} style={{ "--part": leftMs / ROUND_MS }}>
        <span role="timer" aria-label={t.seconds(seconds)} data-testid="clock">
          {seconds}
        </span>
      </div>
      <div class="player rival">
        {rival !== null && (
          <>
            <span class="who">{t.rivalName}</span>
            <strong data-testid="rival-score">{rival}</strong>
          </>
        )}
      </div>
      <div class="tug" data-alone={rival === null || undefined} aria-hidden="true">
        <i style={{ "--mine": mine }} />
      </div>
    </section>
  );
}
