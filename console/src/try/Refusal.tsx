// Why the server refused, in its own words, with its hint.
import { Refused } from "../api/server";

export function Refusal({ error }: { error: Error | null }) {
  if (!error) return null;
  const hint = error instanceof Refused ? error.hint : "";
  return (
    <p class="refusal" role="alert" data-testid="refusal">
      <strong>{error.message}</strong> {hint}
    </p>
  );
}
