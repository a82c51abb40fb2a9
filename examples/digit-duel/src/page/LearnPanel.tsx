// Corrections that wait, one press to learn from them, and old against new to choose from.
import type { Step } from "../learn/learn";
import type { Compared } from "../learn/server";
import type { Learning } from "../learn/useLearning";
import { Icon } from "./icons";
import { useWords } from "./language";
import { Thumb } from "./Thumb";

interface LearnPanelProps {
  learning: Learning;
  /** Learning needs the server. */
  online: boolean;
}

export function LearnPanel({ learning, online }: LearnPanelProps) {
  const t = useWords().learn;
  const { corrections, step, drop, teach } = learning;
  const busy = ["keeping", "training", "comparing"].includes(step.name);
  return (
    <section class="panel learn" aria-label={t.title} data-testid="learn" data-step={step.name}>
      <h2>{t.title}</h2>
      {corrections.length > 0 ? (
        <>
          <ul class="waiting" aria-label={t.waiting(corrections.length)}>
            {corrections.map(({ pixels, label, read }, place) => (
              <li key={place}>
                <button type="button" aria-label={t.drop(Number(label))} title={t.drop(Number(label))} disabled={busy} onClick={() => drop(place)}>
                  <Thumb pixels={pixels} />
                  <span aria-hidden="true">
                    <s>{read}</s> {label}
                  </span>
                </button>
              </li>
            ))}
          </ul>
          {!busy && step.name !== "learnt" && (
            <button type="button" class="button primary" disabled={!online} onClick={teach} data-testid="teach">
              {t.go}
            </button>
          )}
        </>
      ) : (
        step.name === "idle" && <p class="faint">{t.none}</p>
      )}
      <div aria-live="polite">
        <Progress learning={learning} />
      </div>
    </section>
  );
}

function Progress({ learning }: { learning: Learning }) {
  const t = useWords().learn;
  const { step, take, leave, teach } = learning;
  switch (step.name) {
    case "idle":
      return null;
    case "keeping":
      return <Busy text={t.keeping} />;
    case "training":
      return <Busy text={`${t.kept(step.kept)}. ${t.training}`} />;
    case "comparing":
      return <Busy text={`${t.kept(step.kept)}. ${t.comparing}`} />;
    case "taken":
      return <p class="done">{t.taken(step.version)}</p>;
    case "left":
      return <p class="done">{t.left}</p>;
    case "failed":
      return (
        <div class="failed" role="alert">
          <p>
            {t.failed}: {step.why}
            {step.hint && ` – ${step.hint}`}
          </p>
          <button type="button" class="button" onClick={teach}>
            {t.retry}
          </button>
        </div>
      );
    case "learnt":
      return (
        <>
          <Table step={step} />
          <div class="choose">
            <button type="button" class="button primary" onClick={() => take(step.fresh)} data-testid="take">
              <Icon name="check" />
              {t.take}
            </button>
            <button type="button" class="button" onClick={leave} data-testid="leave">
              {t.leave}
            </button>
          </div>
        </>
      );
  }
}

function Busy({ text }: { text: string }) {
  return (
    <p class="busy">
      <i aria-hidden="true" />
      {text}
    </p>
  );
}

const right = ({ metrics }: { metrics: { accuracy: number } }) => metrics.accuracy;

function Table({ step }: { step: Extract<Step, { name: "learnt" }> }) {
  const t = useWords().learn;
  const { test, own } = step;
  const verdict = step.better === "first" ? "better" : step.better === "second" ? "worse" : "same";
  const share = (value: number) => `${(value * 100).toFixed(2)} %`;
  const count = (value: number, { rows }: Compared) => `${Math.round(value * rows)} / ${rows}`;
  return (
    <>
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">{t.old(step.old)}</th>
            <th scope="col">{t.new(step.fresh)}</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{t.yours(own.rows)}</th>
            <td data-testid="own-old">{count(right(own.against), own)}</td>
            <td data-testid="own-new">{count(right(own), own)}</td>
          </tr>
          <tr>
            <th scope="row">{t.test(test.rows.toLocaleString("en"))}</th>
            <td data-testid="test-old">{share(right(test.against))}</td>
            <td data-testid="test-new">{share(right(test))}</td>
          </tr>
        </tbody>
      </table>
      <p class="faint">
        {t.verdict[verdict]} {t.learnt} {t.took(step.seconds)}
      </p>
    </>
  );
}
