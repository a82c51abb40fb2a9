// Below the sheet: clear, skip, submit; the pen; and what just happened.
import type { Moment } from "../game/useGame";
import { type Pen, PENS } from "../draw/sheet";
import { Icon } from "./icons";
import { useWords } from "./language";

interface ControlsProps {
  playing: boolean;
  pen: Pen;
  onPen: (pen: Pen) => void;
  onClear: () => void;
  onSkip: () => void;
  onSubmit: () => void;
  onStart: () => void;
}

const NAMES = Object.keys(PENS) as Pen[];

export function Controls({ playing, pen, onPen, onClear, onSkip, onSubmit, onStart }: ControlsProps) {
  const t = useWords();
  return (
    <div class="controls">
      <fieldset class="pens">
        <legend class="unseen">{t.pen}</legend>
        {NAMES.map((name) => (
          <label key={name} title={t.pens[name]} data-chosen={name === pen || undefined}>
            <input type="radio" name="pen" value={name} checked={name === pen} aria-label={t.pens[name]} onChange={() => onPen(name)} data-testid={`pen-${name}`} />
            <i style={{ "--width": PENS[name] }} aria-hidden="true" />
          </label>
        ))}
      </fieldset>
      <button type="button" class="round" aria-label={t.clear} title={`${t.clear} (Esc)`} onClick={onClear} data-testid="clear">
        <Icon name="clear" />
      </button>
      {playing && (
        <button type="button" class="round" aria-label={t.skip} title={`${t.skip} (S)`} onClick={onSkip} data-testid="skip">
          <Icon name="skip" />
        </button>
      )}
      {playing ? (
        <button type="button" class="button primary" onClick={onSubmit} data-testid="submit">
          {t.submit} <kbd>Enter</kbd>
        </button>
      ) : (
        <button type="button" class="button primary" onClick={onStart} data-testid="start">
          {t.start} <kbd>Enter</kbd>
        </button>
      )}
    </div>
  );
}

interface ToastProps {
  moment: Moment | null;
  /** Says that the digit just missed was what was asked for. */
  onItWas: (() => void) | null;
  wanted: number;
}

export function Toast({ moment, onItWas, wanted }: ToastProps) {
  const t = useWords();
  return (
    <div class="toast" aria-live="polite" data-testid="toast">
      {moment?.kind === "right" && (
        <p key={moment.id} class="right">
          <Icon name="check" />
          {t.right} <b>+{moment.gained}</b>
        </p>
      )}
      {moment?.kind === "wrong" && (
        <p key={moment.id} class="wrong">
          <Icon name="cross" />
          {t.readAs(moment.digit)}
          {onItWas && (
            <button type="button" class="button small" onClick={onItWas} data-testid="it-was">
              {t.itWas(wanted)}
            </button>
          )}
        </p>
      )}
      {moment?.kind === "noted" && (
        <p key={moment.id} class="noted">
          <Icon name="check" />
          {t.itWas(moment.digit)} · {t.noted}
        </p>
      )}
    </div>
  );
}
