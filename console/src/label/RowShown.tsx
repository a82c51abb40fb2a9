// The row to be labelled: a picture, a sound, a text or the fields of a table, and what the model
// thinks of it.
import type { ComponentChildren } from "preact";
import type { Row, Shown } from "../api/label";
import { percent } from "../format";
import type { Clip } from "../sound/clip";
import type { Player } from "../sound/usePlayer";
import { Waveform } from "../sound/Waveform";
import { strings } from "../strings";

const t = strings.label;

/** A sound that is to be labelled, ready to be played. */
export interface Heard {
  clip: Clip | null;
  player: Player;
}

export function RowShown({ row, heard }: { row: Row; heard: Heard }) {
  return (
    <div class={`label-row of-${row.shown.type}`} data-testid="label-row">
      <Thing shown={row.shown} origin={row.origin} heard={heard} />
      <div>
        <p class="faint origin">{row.origin}</p>
        <ul class="label-guesses" aria-label={t.guesses}>
          {row.guesses.map(({ label, probability }) => (
            <li key={label}>
              <span>{label}</span>
              <meter value={probability} />
              <span class="faint">{percent(probability)}</span>
            </li>
          ))}
        </ul>
        <p class="faint">{t.doubt(percent(row.doubt))}</p>
      </div>
    </div>
  );
}

function Thing({ shown, origin, heard }: { shown: Shown; origin: string; heard: Heard }) {
  switch (shown.type) {
    case "picture":
      return <img src={shown.address} alt={origin} />;
    case "sound":
      return <Sound {...heard} />;
    case "text":
      return (
        <Scroll key={origin}>
          {shown.text}
          {shown.more > 0 && <em>{t.more(shown.more)}</em>}
        </Scroll>
      );
    case "fields":
      return (
        <Scroll key={origin}>
          <dl>
            {Object.entries(shown.fields).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd class={value === null ? "faint" : undefined}>{value ?? t.missing}</dd>
              </div>
            ))}
          </dl>
        </Scroll>
      );
  }
}

/** A box that scrolls, by the keyboard too. */
function Scroll({ children }: { children: ComponentChildren }) {
  return (
    <div class="label-scroll" tabIndex={0} role="region" aria-label={t.row}>
      {children}
    </div>
  );
}

function Sound({ clip, player }: Heard) {
  return (
    <div class="label-sound">
      <div class="stage">{clip && <Waveform clip={clip} played={player.played} />}</div>
      <button type="button" class="button" data-testid="play" onClick={player.toggle}>
        {player.playing ? t.pause : t.play} <kbd>{t.space}</kbd>
      </button>
    </div>
  );
}
