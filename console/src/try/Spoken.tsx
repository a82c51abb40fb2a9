// The answer for those who listen: said once the hand has come to rest, not sixty times a second.
import { useEffect, useState } from "preact/hooks";

const REST_MS = 500;

export function Spoken({ text }: { text: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="unseen" role="status" aria-live="polite" data-testid="summary">
      {said}
    </p>
  );
}
