// The whole page: the header, and below it what the address's fragment names: jobs, labelling, else
// the chosen model or the reason why there is none.
import { useEffect, useState } from "preact/hooks";
import { JobsPage } from "../jobs/JobsPage";
import { LabelPage } from "../label/LabelPage";
import { useModels } from "../live/useModels";
import { CallIt } from "../model/CallIt";
import { ModelCard } from "../model/ModelCard";
import { ModelPicker } from "../model/ModelPicker";
import { TryIt } from "../try/TryIt";
import { Header } from "./Header";
import { KeyAsked } from "./KeyAsked";
import { Away, AwayNote, Empty, Loading } from "./States";
import { type Theme, useTheme } from "./theme";

export function App() {
  const { theme, toggle } = useTheme();
  const wanted = useFragment();
  const [, room, rest = ""] = wanted.match(/^\/(\w+)\/?(.*)$/) ?? [];
  return (
    <>
      <Header theme={theme} toggle={toggle} alone={room === "label"} />
      <main>
        {room === "jobs" ? (
          <JobsPage id={rest} />
        ) : room === "label" ? (
          <LabelPage />
        ) : (
          <ModelsPage wanted={wanted} theme={theme} />
        )}
      </main>
    </>
  );
}

function ModelsPage({ wanted, theme }: { wanted: string; theme: Theme }) {
  const { cards, away, refused, retry, onAway } = useModels();
  const card = cards?.find(({ name }) => name === wanted) ?? cards?.[0];
  return (
    <>
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
