// Light or dark: as the system says until somebody chooses otherwise.
import { useEffect, useState } from "preact/hooks";
import type { Ground } from "../draw/tint";
import { keep, oneOfThese, recall } from "../game/kept";

const THEMES = ["", "light", "dark"] as const;
type Choice = (typeof THEMES)[number];

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const chosen = (): Choice => recall<Choice>("theme", "", oneOfThese(THEMES));

function show(choice: Choice): void {
  if (choice) document.documentElement.dataset.theme = choice;
  else delete document.documentElement.dataset.theme;
}

/** Called before anything is drawn, so that the page never flashes in the other theme. */
export function showRememberedTheme(): void {
  show(chosen());
}

export function useTheme(): { theme: Ground; toggle: () => void } {
  const [choice, setChoice] = useState(chosen);
  const [dark, setDark] = useState(systemDark.matches);
  const theme: Ground = choice || (dark ? "dark" : "light");

  useEffect(() => {
    const changed = () => setDark(systemDark.matches);
    systemDark.addEventListener("change", changed);
    return () => systemDark.removeEventListener("change", changed);
  }, []);

  const toggle = () => {
    const wanted = theme === "dark" ? "light" : "dark";
    const next: Choice = wanted === (dark ? "dark" : "light") ? "" : wanted;
    keep("theme", next);
    show(next);
    setChoice(next);
  };
  return { theme, toggle };
}
