// The keyboard: all that can be done with it, wherever the focus is but in a field.
import { useEffect, useRef } from "preact/hooks";

export interface Keys {
  /** Enter: start, or submit. */
  enter: () => void;
  clear: () => void;
  skip: () => void;
  cut: () => void;
  heat: () => void;
  digit: (digit: number) => void;
}

const ACTIONS: Record<string, Exclude<keyof Keys, "digit">> = {
  Enter: "enter",
  Escape: "clear",
  Backspace: "clear",
  s: "skip",
  x: "cut",
  h: "heat",
};

export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  latest.current = keys;

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const at = event.target as HTMLElement;
      const typing = at.matches?.("input:not([type=radio], [type=checkbox]), textarea, select");
      const presses = event.key === "Enter" && at.matches?.("button, a");
      if (typing || presses) return;
      const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (action) latest.current[action]();
      else if (/^\d$/.test(event.key)) latest.current.digit(Number(event.key));
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
