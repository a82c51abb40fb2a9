// A button that copies some text and says so for a moment.
import { useEffect, useState } from "preact/hooks";
import { strings } from "../strings";
import { copy } from "./copy";

const THANKS_MS = 1_500;

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);

  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), THANKS_MS);
    return () => clearTimeout(timer);
  }, [done]);

  return (
    <button
      type="button"
      class="button small"
      aria-label={done ? strings.copy.done : strings.copy.what(what)}
      onClick={async () => setDone(await copy(text))}
    >
      {done ? strings.copy.done : strings.copy.idle}
    </button>
  );
}
