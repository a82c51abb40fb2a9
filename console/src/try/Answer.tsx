// What the model says: the best answer large, and below it a bar for each label.
import type { Card } from "../api/card";
import type { Why } from "../live/useWhy";
import { type Classes, type Reading, within } from "../model/decode";
import { percent, quantity } from "../format";
import { strings } from "../strings";
import { Bars } from "./Bars";
import { Spoken } from "./Spoken";

const t = strings.attempt;

interface AnswerProps {
  card: Card;
  reading: Reading | null;
  why: Why<unknown>;
}

export function Answer({ card, reading, why }: AnswerProps) {
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];
  const sure = within(card, reading);
  return (
    <div class="answer">
      {reading?.kind === "quantity" ? (
        <Best text={quantity(reading.value)} note={reading.target} />
      ) : (
        <Best {...bestOf(reading)} />
      )}
      {sure && (
        <p class="faint" data-testid="within" title={t.withinMeaning}>
          {sure}
        </p>
      )}
      {labels.length > 0 && (
        <Bars labels={labels} classes={reading?.kind === "classes" ? reading : null} why={why} />
      )}
      <Spoken text={spoken(reading)} />
    </div>
  );
}

function Best({ text, note }: { text: string; note: string }) {
  const size = text.length > 12 ? "long" : text.length > 3 ? "word" : note ? "" : "none";
  return (
    <p class={`best ${size}`} data-testid="best">
      <strong>{text}</strong> <span>{note}</span>
    </p>
  );
}

function bestOf(classes: Classes | null): { text: string; note: string } {
  if (!classes) return { text: t.nothing, note: "" };
  const { labels, probabilities, best } = classes;
  return { text: labels[best] ?? t.nothing, note: percent(probabilities[best] ?? 0) };
}

function spoken(reading: Reading | null): string {
  if (!reading) return "";
  if (reading.kind === "quantity") return t.summary(reading.target, quantity(reading.value));
  const { text, note } = bestOf(reading);
  return t.summary(text, note);
}
