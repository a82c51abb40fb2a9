// How long the last answer took from hand to screen, and the median of the last thirty.
import { milliseconds } from "../format";
import type { RoundTrip } from "../live/roundtrip";
import { strings } from "../strings";

const unknown = `${strings.attempt.nothing} ms`;

export function RoundTripTime({ trip }: { trip: RoundTrip | null }) {
  return (
    <p class="rtt" data-testid="rtt" title={strings.attempt.rtt}>
      <strong>{trip ? milliseconds(trip.last) : unknown}</strong>
      <span>{strings.attempt.median(trip ? milliseconds(trip.median) : unknown)}</span>
    </p>
  );
}
