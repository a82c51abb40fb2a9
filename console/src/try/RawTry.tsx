// For every other model: a request by hand in the Open Inference Protocol, and the answer as it is.
import { useState } from "preact/hooks";
import type { Card } from "../api/card";
import { Away, inferJson } from "../api/server";
import { strings } from "../strings";
import { Refusal } from "./Refusal";
import type { Attempt } from "./attempt";

const t = strings.attempt;
const MOST_ZEROS = 256;
const LONGEST_ANSWER = 20_000;

export function RawTry({ card, onAway }: Attempt) {
  const [request, setRequest] = useState(() => exampleRequest(card));
  const [answer, setAnswer] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const broken = !isJson(request);

  const send = async (event: Event) => {
    event.preventDefault();
    try {
      const said = pretty(await inferJson(card.name, request));
      setAnswer(said.length > LONGEST_ANSWER ? `${said.slice(0, LONGEST_ANSWER)}\n…` : said);
      setError(null);
    } catch (failure) {
      if (failure instanceof Away) onAway();
      setError(failure as Error);
    }
  };

  return (
    <section class="try" aria-label={t.raw}>
      <header class="try-head">
        <h2>{t.raw}</h2>
      </header>
      <form class="raw" onSubmit={send}>
        <label>
          <span>{t.request}</span>
          <textarea
            rows={12}
            spellcheck={false}
            value={request}
            aria-invalid={broken}
            data-testid="raw-request"
            onInput={(event) => setRequest(event.currentTarget.value)}
          />
        </label>
        <div class="raw-foot">
          <span class="faint" role="status">
            {broken && strings.errors.json}
          </span>
          <button type="submit" class="button primary" disabled={broken} data-testid="send">
            {t.send}
          </button>
        </div>
      </form>
      <Refusal error={error} />
      {answer && (
        <pre aria-label={t.answer} tabIndex={0} data-testid="raw-answer">
          {answer}
        </pre>
      )}
    </section>
  );
}

/** One row of zeros for each input, unless that would fill the screen. */
function exampleRequest({ signature }: Card): string {
  const inputs = signature.inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size) => size ?? 1);
    const count = sizes.reduce((a, b) => a * b, 1);
    const data = count > MOST_ZEROS ? [] : Array(count).fill(datatype === "BYTES" ? "" : 0);
    return JSON.stringify({ name, shape: sizes, datatype, data });
  });
  return `{\n  "inputs": [\n    ${inputs.join(",\n    ")}\n  ]\n}`;
}

/** Indented, but lists of numbers stay on one line. */
function pretty(answer: unknown): string {
  const lists = /\[[^[\]{}"]*\]/g;
  return JSON.stringify(answer, null, 2).replace(lists, (list) => list.replace(/\s+/g, " "));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
