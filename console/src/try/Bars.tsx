// One bar a label, in the labels' own order. Of very many labels only the best are shown. Where it
// is asked why, a label is a button that asks about it; pressed again, about the likeliest.
import { percent } from "../format";
import type { Why } from "../live/useWhy";
import type { Classes } from "../model/decode";
import { strings } from "../strings";

const MANY = 24;
const SHOWN_OF_MANY = 12;

interface BarsProps {
  labels: string[];
  classes: Classes | null;
  why: Why<unknown>;
}

export function Bars({ labels, classes, why }: BarsProps) {
  const shown = worthShowing(labels, classes);
  return (
    <>
      <ul class="bars" aria-label={strings.attempt.scores}>
        {shown.map((index) => {
          const share = classes?.probabilities[index] ?? 0;
          return (
            <li
              key={index}
              data-testid={`bar-${labels[index]}`}
              data-best={classes?.best === index ? "" : undefined}
            >
              {classes && why.askAbout ? (
                <button
                  type="button"
                  class="label"
                  aria-pressed={why.label === index}
                  title={strings.why.ask(labels[index]!)}
                  data-testid={`ask-${labels[index]}`}
                  onClick={() => why.askAbout!(why.label === index ? null : index)}
                >
                  {labels[index]}
                </button>
              ) : (
                <span class="label">{labels[index]}</span>
              )}
              <span class="track" aria-hidden="true">
                <span style={{ transform: `translateX(${(share - 1) * 100}%)` }} />
              </span>
              <span class="share">{classes ? percent(share, 1) : ""}</span>
            </li>
          );
        })}
      </ul>
      {shown.length < labels.length && (
        <p class="faint">{strings.attempt.few(shown.length, labels.length)}</p>
      )}
    </>
  );
}

function worthShowing(labels: string[], classes: Classes | null): number[] {
  const all = labels.map((_, index) => index);
  if (labels.length <= MANY) return all;
  const p = classes?.probabilities ?? [];
  const best = all.sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0)).slice(0, SHOWN_OF_MANY);
  return best.sort((a, b) => a - b);
}
