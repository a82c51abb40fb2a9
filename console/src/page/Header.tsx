// The top of the page: whose it is, where else to go on this server, and light or dark.
import { strings } from "../strings";
import type { Theme } from "./theme";
import { ThemeToggle } from "./ThemeToggle";
import { Wordmark } from "./Wordmark";

interface HeaderProps {
  theme: Theme;
  toggle: () => void;
  /** Nothing else is on the little server that only labels. */
  alone: boolean;
}

export function Header({ theme, toggle, alone }: HeaderProps) {
  const { models, jobs, docs, graphql, metrics, label } = strings.links;
  return (
    <header class="header">
      <h1>
        <Wordmark />
      </h1>
      <nav aria-label={label} hidden={alone}>
        <a href="#">{models}</a>
        <a href="#/jobs">{jobs}</a>
        <a href="docs">{docs}</a>
        <a class="more" href="graphql">
          {graphql}
        </a>
        <a class="more" href="metrics">
          {metrics}
        </a>
      </nav>
      <ThemeToggle theme={theme} toggle={toggle} />
    </header>
  );
}
