// One bar a label, in the labels' own order. Of very many labels only the best are shown.
import { percent } from "../format";
import type { Classes } from "../model/decode";
import { strings } from "../strings";

const MANY = 24;
const SHOWN_OF_MANY = 12;

export function Bars({ labels, classes }: { labels: string[]; classes: Classes | null }) {
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
              <span class="label">{labels[index]}</span>
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
