// The server wants a key, or does not take the one it was given: says which, and asks for it.
import { useState } from "preact/hooks";
import { rememberKey } from "../api/key";
import type { Refused } from "../api/server";
import { strings } from "../strings";
import { Refusal } from "../try/Refusal";

export function KeyAsked({ refused, onKey }: { refused: Refused; onKey: () => void }) {
  const [key, setKey] = useState("");
  const { title, text, label, send } = strings.key;
  const submit = (event: Event) => {
    event.preventDefault();
    rememberKey(key.trim());
    setKey("");
    onKey();
  };
  return (
    <div class="state" data-testid="key">
      <h2>{title}</h2>
      <p>{text}</p>
      <form class="key" onSubmit={submit}>
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-label={label}
          placeholder="nm_…"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <button type="submit" class="button primary" disabled={!key.trim()}>
          {send}
        </button>
      </form>
      <Refusal error={refused} />
    </div>
  );
}
