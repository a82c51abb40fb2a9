// One job in the list: what it trains, on what, and how far it is.
import type { Job, State } from "../api/jobs";
import { metric } from "../format";
import { strings } from "../strings";

const t = strings.jobs;

export function JobRow({ job, chosen }: { job: Job; chosen: boolean }) {
  const accuracy = job.result?.metrics.accuracy;
  return (
    <li>
      <a href={`#/jobs/${job.id}`} aria-current={chosen ? "true" : undefined}>
        <span class="job-name">{job.model || t.unnamed}</span>
        <StateChip state={job.state} />
        <span class="faint">
          {t.of(job.recipe.family ?? "", job.recipe.data ?? "")}
          {accuracy !== undefined && ` · ${metric("accuracy", accuracy)}`}
        </span>
      </a>
    </li>
  );
}

export function StateChip({ state }: { state: State }) {
  return (
    <span class={`state-chip ${state}`} data-testid="job-state">
      {t.states[state]}
    </span>
  );
}
