// Light or dark: as the system says until somebody chooses otherwise. Choosing what the system says
// anyway is forgotten again. A browser that forbids storage loses only the memory of it.
import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const KEY = "numen.theme";
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

function system(): Theme {
  return systemDark.matches ? "dark" : "light";
}

function remembered(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null;
  }
}

function remember(choice: Theme | null): void {
  try {
    if (choice) localStorage.setItem(KEY, choice);
    else localStorage.removeItem(KEY);
  } catch {
    // The choice then lasts until the page is closed.
  }
}

function show(choice: Theme | null): void {
  if (choice) document.documentElement.dataset.theme = choice;
  else delete document.documentElement.dataset.theme;
}

/** Called before anything is drawn, so that the page never flashes in the other theme. */
export function showRememberedTheme(): void {
  show(remembered());
}

export function useTheme(): { theme: Theme; toggle: () => void } {
  const [choice, setChoice] = useState(remembered);
  const [ofSystem, setOfSystem] = useState(system);
  const theme = choice ?? ofSystem;

  useEffect(() => {
    const changed = () => setOfSystem(system());
    systemDark.addEventListener("change", changed);
    return () => systemDark.removeEventListener("change", changed);
  }, []);

  const toggle = () => {
    const wanted = theme === "dark" ? "light" : "dark";
    const chosen = wanted === ofSystem ? null : wanted;
    remember(chosen);
    show(chosen);
    setChoice(chosen);
  };
  return { theme, toggle };
}
