// The whole page: the header, and below it the chosen model or the reason why there is none.
import { useEffect, useState } from "preact/hooks";
import { useModels } from "../live/useModels";
import { CallIt } from "../model/CallIt";
import { ModelCard } from "../model/ModelCard";
import { ModelPicker } from "../model/ModelPicker";
import { TryIt } from "../try/TryIt";
import { Header } from "./Header";
import { KeyAsked } from "./KeyAsked";
import { Away, AwayNote, Empty, Loading } from "./States";
import { useTheme } from "./theme";

export function App() {
  const { theme, toggle } = useTheme();
  const { cards, away, refused, retry, onAway } = useModels();
  const wanted = useFragment();
  const card = cards?.find(({ name }) => name === wanted) ?? cards?.[0];

  return (
    <>
      <Header theme={theme} toggle={toggle} />
      <main>
        {refused ? (
          <KeyAsked refused={refused} onKey={retry} />
        ) : card && cards ? (
          <>
            {away && <AwayNote />}
            {cards.length > 1 && <ModelPicker cards={cards} chosen={card.name} />}
            <div class="columns">
              <TryIt key={card.name} card={card} theme={theme} alive={!away} onAway={onAway} />
              <ModelCard card={card} />
              <CallIt card={card} />
            </div>
          </>
        ) : away ? (
          <Away />
        ) : cards ? (
          <Empty />
        ) : (
          <Loading />
        )}
      </main>
    </>
  );
}

/** The chosen model is the address's fragment, so that it can be linked to. */
function useFragment(): string {
  const [fragment, setFragment] = useState(readFragment);
  useEffect(() => {
    const changed = () => setFragment(readFragment());
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return fragment;
}

function readFragment(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}
