// The end of a round: who won, the figures, and all that was read, to be set right where it was wrong.
import { useState } from "preact/hooks";
import type { Attempt } from "../game/attempt";
import type { Round } from "../game/round";
import { useWords } from "./language";
import { Thumb } from "./Thumb";

interface OverProps {
  round: Round;
  rival: number | null;
  record: boolean;
  attempts: Attempt[];
  onAgain: () => void;
  onMeant: (attempt: Attempt, digit: number) => void;
}

export function Over({ round, rival, record, attempts, onAgain, onMeant }: OverProps) {
  const t = useWords().over;
  const { again } = useWords();
  const verdict = rival === null ? "alone" : round.score > rival ? "win" : round.score < rival ? "lose" : "draw";
  const figures = [
    [t.solved, round.solved],
    [t.missed, round.missed],
    [t.longest, round.longest],
  ] as const;
  return (
    <div class="over" data-verdict={verdict} data-testid="over">
      <h2>{t[verdict]}</h2>
      <p class="total">
        <strong>{round.score}</strong>
        {rival !== null && <span> : {rival}</span>}
      </p>
      {record && <p class="record">{t.record}</p>}
      <dl>
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <button type="button" class="button primary large" onClick={onAgain} data-testid="start">
        {again} <kbd>Enter</kbd>
      </button>
      <Seen attempts={attempts} onMeant={onMeant} />
    </div>
  );
}

function Seen({ attempts, onMeant }: Pick<OverProps, "attempts" | "onMeant">) {
  const t = useWords().over;
  const [chosen, choose] = useState<Attempt | null>(null);
  const open = attempts.find(({ id }) => id === chosen?.id) ?? null;
  if (!attempts.length) return <p class="faint">{t.none}</p>;
  return (
    <div class="seen">
      <h3>{t.seen}</h3>
      <ul>
        {attempts.map((attempt) => (
          <li key={attempt.id}>
            <button
              type="button"
              data-right={attempt.read === attempt.wanted}
              aria-pressed={attempt === open}
              aria-label={t.attempt(attempt.read, attempt.wanted)}
              onClick={() => choose(attempt === open ? null : attempt)}
              data-testid="attempt"
            >
              <Thumb pixels={attempt.pixels} />
              <span aria-hidden="true">{attempt.meant === null ? attempt.read : `${attempt.read}→${attempt.meant}`}</span>
            </button>
          </li>
        ))}
      </ul>
      {open ? (
        <fieldset class="meant">
          <legend>{t.whatWasIt}</legend>
          {Array.from({ length: 10 }, (_, digit) => (
            <button
              key={digit}
              type="button"
              aria-label={t.wasA(digit)}
              data-likely={digit === open.wanted || undefined}
              onClick={() => {
                onMeant(open, digit);
                choose(null);
              }}
              data-testid={`meant-${digit}`}
            >
              {digit}
            </button>
          ))}
        </fieldset>
      ) : (
        <p class="faint">{t.correct}</p>
      )}
    </div>
  );
}
