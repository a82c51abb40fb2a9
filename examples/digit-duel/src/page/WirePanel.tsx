// The wire between this device and the server: whole, cut or lost, and who reads now.
import type { State } from "../ask/reader";
import type { Reading } from "../game/reading";
import { Icon } from "./icons";
import { useWords } from "./language";

export interface Reach extends State {
  /** Somebody cut the wire. */
  cut: boolean;
}

interface WirePanelProps {
  reach: Reach;
  reading: Reading | null;
  onCut: (cut: boolean) => void;
}

export function WirePanel({ reach, reading, onCut }: WirePanelProps) {
  const t = useWords();
  const { online, looking, here, cut } = reach;
  const away = looking ? "looking" : here ? "lost" : "none";
  const state = cut ? "local" : online ? (here ? "server" : "getting") : away;
  const whole = online || state === "looking";
  return (
    <section class="panel wire" data-whole={whole && !cut ? "yes" : undefined} aria-label={t.wire}>
      <div class="ends">
        <span class="end" data-lit={(cut || !whole) && here ? "yes" : undefined}>
          <Icon name="device" />
          {t.device}
        </span>
        <svg class="line" viewBox="0 0 200 40" preserveAspectRatio="none" aria-hidden="true">
          <path class="near" d={whole && !cut ? "M0 20H100" : "M0 20H70Q84 20 88 31"} />
          <path class="far" d={whole && !cut ? "M100 20H200" : "M200 20H130Q116 20 112 9"} />
        </svg>
        <span class="end" data-lit={online && !cut ? "yes" : undefined}>
          <Icon name="server" />
          {t.server}
        </span>
        <button
          type="button"
          class="button"
          aria-pressed={cut}
          disabled={!cut && !here}
          onClick={() => onCut(!cut)}
          data-testid="cut"
        >
          <Icon name={cut ? "plug" : "scissors"} />
          {cut ? t.mend : t.cut}
        </button>
      </div>
      <p class="faint" aria-live="polite" data-testid="wire" data-state={state}>
        {t.wireStates[state]}
        {reading && (
          <span class="who-read" data-testid="source" data-source={reading.source}>
            {t.sources[reading.source]} · {t.ms(reading.ms)} · {t.version(reading.version)}
          </span>
        )}
      </p>
    </section>
  );
}
