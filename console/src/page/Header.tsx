// The top of the page: whose it is, where else to go on this server, and light or dark.
import { strings } from "../strings";
import type { Theme } from "./theme";
import { ThemeToggle } from "./ThemeToggle";
import { Wordmark } from "./Wordmark";

export function Header({ theme, toggle }: { theme: Theme; toggle: () => void }) {
  const { models, jobs, docs, graphql, metrics, label } = strings.links;
  return (
    <header class="header">
      <h1>
        <Wordmark />
      </h1>
      <nav aria-label={label}>
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
