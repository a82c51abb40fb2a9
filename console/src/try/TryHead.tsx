// The line above what one tries: what to do, whether to ask why, how long the last answer took.
import type { RoundTrip } from "../live/roundtrip";
import type { Why } from "../live/useWhy";
import { WhySwitch } from "../why/WhySwitch";
import { RoundTripTime } from "./RoundTripTime";

interface TryHeadProps {
  title: string;
  why: Why<unknown>;
  trip: RoundTrip | null;
}

export function TryHead({ title, why, trip }: TryHeadProps) {
  return (
    <header class="try-head">
      <h2>{title}</h2>
      <WhySwitch why={why} />
      <RoundTripTime trip={trip} />
    </header>
  );
}
