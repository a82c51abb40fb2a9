// The wire between this device and the server: whole, cut or lost, and who reads now.
import type { Reading } from "../game/reading";
import { Icon } from "./icons";
import { useWords } from "./language";

export interface Reach {
  /** The server is in reach. */
  online: boolean;
  /** The version on this device; empty while there is none. */
  here: string;
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
  const { online, here, cut } = reach;
  const state = cut ? "local" : online ? (here ? "server" : "getting") : here ? "lost" : "none";
  const shown = state === "getting" ? "server" : state;
  return (
    <section class="panel wire" data-state={shown} aria-label={t.wire}>
      <div class="ends">
        <span class="end" data-lit={shown !== "server" && here ? "yes" : undefined}>
          <Icon name="device" />
          {t.device}
        </span>
        <svg class="line" viewBox="0 0 200 40" preserveAspectRatio="none" aria-hidden="true">
          <path class="near" d={shown === "server" ? "M0 20H100" : "M0 20H70Q84 20 88 31"} />
          <path class="far" d={shown === "server" ? "M100 20H200" : "M200 20H130Q116 20 112 9"} />
        </svg>
        <span class="end" data-lit={shown === "server" ? "yes" : undefined}>
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
