// How likely each digit is, as ten columns that grow while one draws. A press on one says that this
// is what was drawn.
import { doubts, type Reading, SURE } from "../game/reading";
import { useWords } from "./language";

interface BarsProps {
  reading: Reading | null;
  /** Says what the drawing was; null while there is none. */
  onMeant: ((digit: number) => void) | null;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function Bars({ reading, onMeant }: BarsProps) {
  const t = useWords();
  return (
    <ul class="bars" aria-label={t.bars} style={{ "--sure": SURE }} title={t.threshold(percent(SURE))}>
      {Array.from({ length: 10 }, (_, digit) => {
        const share = reading?.shares[digit] ?? 0;
        const best = reading?.best === digit;
        return (
          <li key={digit}>
            <button
              type="button"
              class="bar"
              data-best={best ? (reading.sure ? "sure" : "unsure") : undefined}
              data-testid={`bar-${digit}`}
              aria-label={`${t.bar(digit, percent(share))}${onMeant ? `. ${t.itWas(digit)}` : ""}`}
              aria-disabled={onMeant ? undefined : true}
              onClick={() => onMeant?.(digit)}
              style={{ "--share": share }}
            >
              <i aria-hidden="true" />
              <span aria-hidden="true">{digit}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** The best digit and its share; or that it is unsure, and between which. */
export function Headline({ reading, drawn }: { reading: Reading | null; drawn: boolean }) {
  const t = useWords();
  if (!reading) {
    return (
      <p class="headline" data-testid="headline">
        <span class="quiet">{drawn ? "…" : t.nothing}</span>
      </p>
    );
  }
  const [one, other] = doubts(reading);
  return (
    <p class="headline" data-testid="headline" data-sure={reading.sure || undefined}>
      {reading.sure ? (
        <>
          <strong data-testid="best">{reading.best}</strong>
          <span>{percent(reading.shares[reading.best]!)}</span>
        </>
      ) : (
        <>
          <strong class="unsure" data-testid="unsure">
            {t.unsure}
          </strong>
          <span>{t.between(one, other)}</span>
        </>
      )}
    </p>
  );
}
