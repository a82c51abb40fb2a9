// The language: the browser's own until somebody chooses the other one.
import { createContext } from "preact";
import { useContext, useLayoutEffect, useState } from "preact/hooks";
import { keep, oneOfThese, recall } from "../game/kept";
import { type Language, LANGUAGES, type Strings } from "../strings";

const TAGS: Record<Language, string> = { en: "en", zh: "zh-CN" };
const Words = createContext<Strings>(LANGUAGES.en);

export const WordsOf = Words.Provider;
export const useWords = (): Strings => useContext(Words);

export function useLanguage(): { words: Strings; other: () => void } {
  const own: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  const [language, setLanguage] = useState<Language>(() => recall("language", own, oneOfThese(["en", "zh"])));
  const words = LANGUAGES[language];

  // Before it is shown: no reader ever hears one language with the voice of the other.
  useLayoutEffect(() => {
    document.documentElement.lang = TAGS[language];
    document.title = words.title;
  }, [language]);

  const other = () => {
    const next = language === "en" ? "zh" : "en";
    keep("language", next);
    setLanguage(next);
  };
  return { words, other };
}
