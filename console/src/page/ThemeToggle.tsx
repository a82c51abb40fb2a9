// Sun or moon: shows the theme a press leads to.
import { strings } from "../strings";
import type { Theme } from "./theme";

const RAYS = "M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4";
const SUN = `${RAYS}M8 12a4 4 0 1 0 8 0a4 4 0 1 0-8 0`;
const MOON = "M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z";

export function ThemeToggle({ theme, toggle }: { theme: Theme; toggle: () => void }) {
  const label = theme === "dark" ? strings.theme.toLight : strings.theme.toDark;
  return (
    <button
      type="button"
      class="icon"
      data-testid="theme-toggle"
      aria-label={label}
      title={label}
      onClick={toggle}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={theme === "dark" ? SUN : MOON} />
      </svg>
    </button>
  );
}
