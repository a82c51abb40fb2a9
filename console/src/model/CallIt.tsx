// How to call the model from a program, folded away until somebody wants it.
import type { Card } from "../api/card";
import { origin } from "../api/server";
import { CopyButton } from "../page/CopyButton";
import { strings } from "../strings";
import { snippets } from "./snippets";

export function CallIt({ card }: { card: Card }) {
  return (
    <details class="call" data-testid="call-it">
      <summary>
        {strings.call.title} <span>{strings.call.teaser}</span>
      </summary>
      {snippets(card, origin()).map(({ title, code }) => (
        <figure key={title}>
          <figcaption>
            {title}
            <CopyButton text={code} what={title} />
          </figcaption>
          <pre tabIndex={0}>
            <code>{code}</code>
          </pre>
        </figure>
      ))}
    </details>
  );
}
