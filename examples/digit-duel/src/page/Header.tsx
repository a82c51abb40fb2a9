// The top of the page: the game's name, and language, sound, light or dark.
import type { Ground } from "../draw/tint";
import { Icon } from "./icons";
import { useWords } from "./language";

interface HeaderProps {
  theme: Ground;
  toggleTheme: () => void;
  otherLanguage: () => void;
  sound: boolean;
  toggleSound: () => void;
}

export function Header({ theme, toggleTheme, otherLanguage, sound, toggleSound }: HeaderProps) {
  const t = useWords();
  const toTheme = theme === "dark" ? t.toLight : t.toDark;
  const toSound = sound ? t.soundOff : t.soundOn;
  return (
    <header class="header">
      <h1>
        <Mark />
        {t.title}
      </h1>
      <button type="button" class="round wide" lang={t.toOther === "English" ? "en" : "zh-CN"} title={t.toOtherMeaning} onClick={otherLanguage} data-testid="language">
        {t.toOther}
      </button>
      <button type="button" class="round" aria-label={toSound} title={toSound} onClick={toggleSound} data-testid="sound">
        <Icon name={sound ? "sound" : "silent"} />
      </button>
      <button type="button" class="round" aria-label={toTheme} title={toTheme} onClick={toggleTheme} data-testid="theme">
        <Icon name={theme === "dark" ? "sun" : "moon"} />
      </button>
    </header>
  );
}

/** Two strokes that meet: a 7 and its mirror. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 40 40" aria-hidden="true">
      <path class="mine" d="M6 9h13L11 32" />
      <path class="theirs" d="M34 9H23l7 23" />
    </svg>
  );
}
