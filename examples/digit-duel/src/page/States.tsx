// Why nothing can be played: a key is asked for, or the model is not there.
import type { NumenError } from "numen";
import { useState } from "preact/hooks";
import { useWords } from "./language";

interface RefusedProps {
  error: NumenError;
  model: string;
  onKey: (key: string) => void;
}

export function Refused({ error, model, onKey }: RefusedProps) {
  const t = useWords();
  const [typed, setTyped] = useState("");
  if (error.status === 401 || error.status === 403) {
    const send = (event: Event) => {
      event.preventDefault();
      onKey(typed.trim());
    };
    return (
      <section class="state">
        <h2>{t.keyNeeded}</h2>
        <form onSubmit={send}>
          <label>
            {t.key}
            <input type="password" autocomplete="off" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} data-testid="key" />
          </label>
          <button type="submit" class="button primary">
            {t.useKey}
          </button>
        </form>
      </section>
    );
  }
  return (
    <section class="state" data-testid="missing">
      <h2>{error.status === 404 ? t.notFound(model) : error.message}</h2>
      <p>
        {t.startIt} <code>numen play digit-duel</code>
      </p>
    </section>
  );
}
