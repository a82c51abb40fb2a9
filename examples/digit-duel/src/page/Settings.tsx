// Before a round: whom to play against, how it goes, and which keys do what.
import { type Pace, PACES } from "../game/rival";
import { Choice } from "./Choice";
import { useWords } from "./language";

export function Settings({ pace, onPace, heat, onHeat }: { pace: Pace; onPace: (pace: Pace) => void; heat: boolean; onHeat: (on: boolean) => void }) {
  const t = useWords();
  return (
    <section class="panel settings" aria-label={t.rival}>
      <Choice label={t.rival} options={PACES} names={t.paces} chosen={pace} onChoose={onPace} name="pace" />
      <label class="switch">
        <input type="checkbox" role="switch" checked={heat} onChange={(event) => onHeat(event.currentTarget.checked)} data-testid="why" />
        <i aria-hidden="true" />
        <span>
          {t.why}
          <small>{t.whyMeaning}</small>
        </span>
      </label>
    </section>
  );
}

export function Rules() {
  const t = useWords();
  return (
    <section class="rules">
      <ol>
        {t.rules.map((rule) => (
          <li key={rule}>{rule}</li>
        ))}
      </ol>
      <dl class="keys" aria-label={t.keysTitle}>
        {t.keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
