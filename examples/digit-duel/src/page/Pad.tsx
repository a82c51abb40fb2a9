// The drawing area: pen, finger or mouse in, ink out, at most once a frame.
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Plane, type Point, Sheet, SIDE } from "../draw/sheet";
import type { Ground } from "../draw/tint";
import { useWords } from "./language";

export interface Ink {
  plane: Plane;
  /** Of the pen's last move, as `performance.now` has it. */
  since: number;
  /** The pen was lifted. */
  resting: boolean;
}

interface PadProps {
  theme: Ground;
  sheet: RefObject<Sheet | null>;
  /** Rises whenever somebody else empties the sheet. */
  emptied: number;
  hint: string;
  onInk: (ink: Ink) => void;
  children: ComponentChildren;
}

export function Pad({ theme, sheet, emptied, hint, onInk, children }: PadProps) {
  const t = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef(0);
  const moved = useRef(0);
  const [empty, setEmpty] = useState(true);

  // Before a pen can come down: there is always a sheet under it.
  useLayoutEffect(() => {
    if (sheet.current) sheet.current.recolour();
    else sheet.current = new Sheet(canvas.current!);
  }, [theme]);
  useEffect(() => {
    cancelAnimationFrame(frame.current);
    frame.current = 0;
    setEmpty(true);
  }, [emptied]);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);

  const changed = () => {
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      onInk({ plane: sheet.current!.read(), since: moved.current, resting: !sheet.current!.drawing });
    });
  };
  const down = (event: PointerEvent) => {
    if (!event.isPrimary || event.button !== 0) return;
    canvas.current!.setPointerCapture(event.pointerId);
    setEmpty(false);
    moved.current = event.timeStamp;
    sheet.current!.down(place(event, canvas.current!));
    changed();
  };
  const move = (event: PointerEvent) => {
    if (!sheet.current?.drawing || !event.isPrimary) return;
    moved.current = event.timeStamp;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) sheet.current.move(place(each, canvas.current!));
    changed();
  };
  const up = () => {
    if (!sheet.current?.drawing) return;
    sheet.current.up();
    changed();
  };

  return (
    <div class="sheet" data-empty={empty || undefined}>
      <canvas
        ref={canvas}
        width={SIDE}
        height={SIDE}
        role="img"
        aria-label={t.canvas}
        data-testid="canvas"
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
      />
      {empty && hint && <p class="hint">{hint}</p>}
      {children}
    </div>
  );
}

/** Where on the canvas an event was, in the canvas's own pixels. */
function place(event: PointerEvent, canvas: HTMLCanvasElement): Point {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return { x: ((event.clientX - left) / width) * SIDE, y: ((event.clientY - top) / height) * SIDE };
}
