// What the page shows when there is no model to show: looking, none yet, or the server is away.
import { strings } from "../strings";
import { CopyButton } from "./CopyButton";

export function Loading() {
  return (
    <div class="state faint" data-testid="loading" role="status">
      <p>{strings.loading}</p>
    </div>
  );
}

export function Empty() {
  const { title, text, command } = strings.empty;
  return (
    <div class="state" data-testid="empty">
      <h2>{title}</h2>
      <p>{text}</p>
      <p class="command">
        <code>{command}</code>
        <CopyButton text={command} what={command} />
      </p>
    </div>
  );
}

export function Away() {
  return (
    <div class="state" data-testid="away" role="status">
      <span class="pulse" aria-hidden="true" />
      <h2>{strings.away.title}</h2>
      <p>{strings.away.text}</p>
    </div>
  );
}

/** The server went away under a page that is in use: what is there stays. */
export function AwayNote() {
  return (
    <p class="away-note" data-testid="away" role="status">
      <span class="pulse" aria-hidden="true" />
      {strings.away.brief}
    </p>
  );
}
