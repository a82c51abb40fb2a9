// Escape and Delete clear what is tried, unless they are meant for a field one is typing in.
import { useEffect, useRef } from "preact/hooks";

export function useClearKeys(clear: () => void): void {
  const latest = useRef(clear);
  latest.current = clear;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const typing = (event.target as Element).closest?.("input, textarea, select");
      if (!typing && (event.key === "Escape" || event.key === "Delete")) latest.current();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}
