// What a model is: its name and version, how good it is, where it comes from, what goes in and out.
import type { ComponentChildren } from "preact";
import type { Card, Importance, TensorSpec } from "../api/card";
import { bytes, metric, quantity } from "../format";
import { CopyButton } from "../page/CopyButton";
import { strings } from "../strings";
import { SignedBars } from "../why/SignedBars";

const t = strings.card;

export function ModelCard({ card }: { card: Card }) {
  const [headline, ...others] = Object.entries(card.metrics).sort(accuracyFirst);
  return (
    <aside class="card" aria-label={t.label} data-testid="model-card">
      <div class="card-title">
        <h2>{card.name}</h2>
        <span class="version">{t.version(card.version)}</span>
      </div>
      <Chips card={card} />
      {headline && (
        <p class="headline">
          <strong>{metric(...headline)}</strong>
          <span>{t.metric(headline[0])}</span>
        </p>
      )}
      <dl>
        {others.map(([name, value]) => (
          <Fact key={name} name={t.metric(name)}>
            {metric(name, value)}
          </Fact>
        ))}
        {card.dataset && <Fact name={t.dataset}>{card.dataset}</Fact>}
        {card.framework && <Fact name={t.framework}>{card.framework}</Fact>}
        {card.family && <Fact name={t.family}>{card.family}</Fact>}
        <Fact name={t.input}>{card.signature.inputs.map(Port)}</Fact>
        <Fact name={t.output}>{card.signature.outputs.map(Port)}</Fact>
        <Fact name={t.size}>{bytes(card.size)}</Fact>
        {card.parity != null && (
          <Fact name={t.parity} meaning={t.parityMeaning}>
            {quantity(card.parity)}
          </Fact>
        )}
        {card.versions.length > 1 && <Fact name={t.versions}>{card.versions.join(", ")}</Fact>}
        <Fact name={t.created}>
          <time dateTime={card.created}>{day(card.created)}</time>
        </Fact>
        <Fact name={t.digest}>
          <code title={card.digest}>{card.digest.replace("sha256:", "").slice(0, 12)}</code>{" "}
          <CopyButton text={card.digest} what={t.digest.toLowerCase()} />
        </Fact>
      </dl>
      {card.importance && <GoesBy importance={card.importance} />}
    </aside>
  );
}

function GoesBy({ importance: { rows, columns } }: { importance: Importance }) {
  const parts = columns.map(({ column, loss }) => ({
    name: column,
    said: "",
    value: loss.mean,
    spread: (loss.high - loss.low) / 2,
  }));
  return (
    <section class="goes-by" data-testid="goes-by">
      <h3>{t.goesBy}</h3>
      <p class="faint">{t.goesByMeaning(rows)}</p>
      <SignedBars parts={parts} />
    </section>
  );
}

function Chips({ card }: { card: Card }) {
  const aliases = Object.entries(card.aliases);
  if (!aliases.length && card.ready) return null;
  return (
    <ul class="chips" aria-label={t.aliases}>
      {!card.ready && <li class="warning">{t.notReady}</li>}
      {aliases.map(([alias, version]) => (
        <li key={alias}>{t.alias(alias, version, version === card.version)}</li>
      ))}
    </ul>
  );
}

interface FactProps {
  name: string;
  meaning?: string;
  children: ComponentChildren;
}

function Fact({ name, meaning, children }: FactProps) {
  return (
    <div title={meaning}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Port({ name, datatype, shape }: TensorSpec) {
  const axes = shape.map((size) => size ?? "n").join(" × ");
  return (
    <div key={name}>
      {name} <small>{`${datatype} ${axes}`}</small>
    </div>
  );
}

function accuracyFirst([a]: [string, number], [b]: [string, number]): number {
  return Number(b === "accuracy") - Number(a === "accuracy");
}

function day(moment: string): string {
  const date = new Date(moment);
  if (Number.isNaN(date.valueOf())) return moment;
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
