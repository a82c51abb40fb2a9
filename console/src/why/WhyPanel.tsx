// What an explanation is of and by which method, in words, above what it looks like.
import type { ComponentChildren } from "preact";
import type { Card } from "../api/card";
import type { Why } from "../live/useWhy";
import { strings } from "../strings";
import { type Attribution, unsigned } from "./attribution";

const t = strings.why;

interface WhyPanelProps<Given> {
  card: Card;
  why: Why<Given>;
  /** What it looks like, unless that is drawn elsewhere. */
  show?: (attribution: Attribution, given: Given) => ComponentChildren;
}

export function WhyPanel<Given>({ card, why, show }: WhyPanelProps<Given>) {
  if (!why.on) return null;
  const kind = card.preprocess!.type;
  const { told, methods, method } = why;
  const { deletion, deletion_random: chance } = card.explains?.faithfulness ?? {};
  const usual = method === methods[0] && deletion !== undefined && chance !== undefined;
  const meaning = t.meanings[method]?.(t.nothing[kind]);
  return (
    <section class="why" aria-label={t.title} data-testid="why">
      <header>
        <h3 data-testid="why-title">{told ? title(told.attribution, t.parts[kind]) : t.waiting}</h3>
        {methods.length > 1 ? (
          <label>
            <span>{t.by}</span>
            <select
              value={method}
              data-testid="why-method"
              onChange={(event) => why.choose(event.currentTarget.value)}
            >
              {methods.map((name) => (
                <option key={name} value={name}>
                  {t.method(name)}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <p data-testid="why-method">{`${t.by} ${t.method(method)}`}</p>
        )}
      </header>
      <p class="faint">
        {meaning} {why.askAbout && t.others}
      </p>
      {usual && (
        <p class="faint" data-testid="why-faithful">
          {t.faithful(deletion, chance)}
        </p>
      )}
      {told && show?.(told.attribution, told.given)}
    </section>
  );
}

function title({ method, about, label }: Attribution, parts: string): string {
  if (unsigned(method)) return t.hangs(parts, about);
  return label === null ? t.moved(parts, about) : t.spoke(parts, about);
}
