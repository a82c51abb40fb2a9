// The picture of a sound: how loud it is from its beginning to its end.
import { useMemo } from "preact/hooks";
import { type Clip, peaks, seconds } from "./clip";
import { shares, tint } from "../why/tint";
import { strings } from "../strings";

export const BARS = 96;
const HIGH = 100;

interface WaveformProps {
  clip: Clip;
  /** The samples that the model hears; the rest is drawn faintly. */
  from?: number;
  to?: number;
  /** How much of it was played, from 0 to 1. */
  played?: number;
  /** What each bar spoke for, if that is known: its colour. */
  spoke?: number[] | null;
}

export function Waveform({ clip, from = 0, to = clip.samples.length, played = 0, spoke = null }: WaveformProps) {
  const tops = useMemo(() => peaks(clip.samples, BARS), [clip]);
  const place = (sample: number) => (sample / Math.max(clip.samples.length, 1)) * BARS;
  const inside = tops.map((_, bar) => bar + 0.5 > place(from) && bar + 0.5 < place(to));
  return (
    <svg
      class={spoke ? "wave spoken" : "wave"}
      viewBox={`0 0 ${BARS} ${HIGH}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={strings.sound.waveform(seconds(clip))}
      data-testid="waveform"
    >
      <path d={bars(tops, (bar) => !inside[bar])} />
      {spoke ? (
        shares(spoke).map((share, bar) => {
          const style = { stroke: `color-mix(in oklab, ${tint(Math.sign(share))} ${Math.abs(share) * 100}%, var(--bar))` };
          return inside[bar] && <path key={bar} style={style} d={bars(tops, (one) => one === bar)} />;
        })
      ) : (
        <path class="heard" d={bars(tops, (bar) => inside[bar]!)} />
      )}
      {played > 0 && <path class="cursor" d={`M${played * BARS} 0V${HIGH}`} />}
    </svg>
  );
}

function bars(tops: number[], wanted: (bar: number) => boolean): string {
  return tops
    .map((top, bar) => {
      const reach = Math.max(top * HIGH * 0.46, 0.6);
      return wanted(bar) ? `M${bar + 0.5} ${HIGH / 2 - reach}V${HIGH / 2 + reach}` : "";
    })
    .join("");
}
