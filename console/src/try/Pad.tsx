// The drawing area: pen, finger or mouse in, ink out, at most once a frame. Escape, Delete and the
// Clear button empty it.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Plane } from "../../../clients/js/src/picture";
import { Sheet, SIDE, type Point } from "../draw/sheet";
import type { Theme } from "../page/theme";
import { strings } from "../strings";
import { useClearKeys } from "./useClearKeys";

interface PadProps {
  theme: Theme;
  hint: string;
  /** Gets the ink whenever it has changed; null when it was cleared. */
  onInk: (drawing: Plane | null) => void;
  /** What lies over the ink. */
  over: ComponentChildren;
  children: ComponentChildren;
}

export function Pad({ theme, hint, onInk, over, children }: PadProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const sheet = useRef<Sheet | null>(null);
  const frame = useRef(0);
  const [empty, setEmpty] = useState(true);

  // Before a pen can come down: there is always a sheet under it.
  useLayoutEffect(() => {
    if (sheet.current) sheet.current.recolour();
    else sheet.current = new Sheet(canvas.current!);
  }, [theme]);

  useEffect(() => () => cancelAnimationFrame(frame.current), []);

  const clear = () => {
    cancelAnimationFrame(frame.current);
    frame.current = 0;
    sheet.current?.clear();
    setEmpty(true);
    onInk(null);
  };

  const changed = () => {
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      onInk(sheet.current!.read());
    });
  };

  const down = (event: PointerEvent) => {
    if (!event.isPrimary || event.button !== 0) return;
    canvas.current!.setPointerCapture(event.pointerId);
    setEmpty(false);
    sheet.current!.down(place(event, canvas.current!));
    changed();
  };

  const move = (event: PointerEvent) => {
    if (!event.isPrimary || !sheet.current!.drawing) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) sheet.current!.move(place(step, canvas.current!));
    changed();
  };

  const up = (event: PointerEvent) => {
    if (!event.isPrimary || !sheet.current!.drawing) return;
    sheet.current!.up();
    changed();
  };

  useClearKeys(clear);

  return (
    <div class="pad">
      <div class={over ? "sheet layered" : "sheet"}>
        <canvas
          ref={canvas}
          width={SIDE}
          height={SIDE}
          tabIndex={0}
          role="img"
          aria-label={strings.attempt.canvas}
          data-testid="canvas"
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={up}
        />
        {over}
        {empty && <p class="hint">{hint}</p>}
      </div>
      <div class="pad-foot">
        {children}
        <button type="button" class="button" data-testid="clear" disabled={empty} onClick={clear}>
          {strings.attempt.clear} <kbd>Esc</kbd>
        </button>
      </div>
    </div>
  );
}

/** Where on the sheet a pointer is. */
function place({ clientX, clientY }: PointerEvent, sheet: Element): Point {
  const { left, top, width, height } = sheet.getBoundingClientRect();
  return { x: ((clientX - left) / width) * SIDE, y: ((clientY - top) / height) * SIDE };
}
