// One job as it goes: state, progress, curves, what it told, and the two things one can do about it.
import { useState } from "preact/hooks";
import { changeJob, type Job, type JobEvent } from "../api/jobs";
import { metric } from "../format";
import { useEvents } from "../live/useJobs";
import { strings } from "../strings";
import { Refusal } from "../try/Refusal";
import { Curve } from "./Curve";
import { StateChip } from "./JobRow";

const t = strings.jobs;
const LINES = 200;

export function JobPanel({ job, onChange }: { job: Job; onChange: () => void }) {
  const [round, setRound] = useState(0);
  const [refusal, setRefusal] = useState<Error | null>(null);
  const events = useEvents(job.id, round);
  const epochs = last(events, ({ epochs }) => epochs) ?? job.recipe.epochs ?? 0;
  const epoch = last(events, ({ kind, epoch }) => (kind === "epoch" ? epoch : undefined)) ?? 0;
  const now = events[events.length - 1];
  const alive = job.state === "running" || job.state === "queued";

  const change = async (verb: "cancel" | "resume") => {
    try {
      await changeJob(job.id, verb);
      setRefusal(null);
      if (verb === "resume") setRound((before) => before + 1);
    } catch (error) {
      setRefusal(error as Error);
    }
    onChange();
  };

  return (
    <section class="try job" aria-label={job.model || job.id} data-testid="job">
      <header class="try-head">
        <h2>{job.model || t.unnamed}</h2>
        <StateChip state={job.state} />
      </header>
      <p class="faint">
        {t.of(job.recipe.family ?? "", job.recipe.data ?? "")} · {job.id}
      </p>
      {epochs > 0 && (
        <div class="progress">
          <progress max={epochs} value={epoch} aria-label={t.epoch(epoch, epochs)} />
          <span class="faint">{t.epoch(epoch, epochs)}</span>
        </div>
      )}
      {now?.kind === "step" && <p class="faint now">{figures(now)}</p>}
      <div class="curves">
        <Curve events={events} of="loss" epochs={epochs} />
        <Curve events={events} of="accuracy" epochs={epochs} />
      </div>
      {job.result && (
        <p class="result" data-testid="job-result">
          {job.result.name ? (
            <a href={`#${encodeURIComponent(job.result.name)}`}>
              {job.result.name}@{job.result.version}
            </a>
          ) : (
            t.kept
          )}
          {Object.entries(job.result.metrics).map(([name, value]) => (
            <span key={name}>
              {t.metric(name)} <strong>{metric(name, value)}</strong>
            </span>
          ))}
        </p>
      )}
      {job.error && (
        <p class="refusal">
          <strong>{job.error.error}</strong> {job.error.hint}
        </p>
      )}
      <ol class="told" data-testid="told" tabIndex={0} aria-label={t.told}>
        {events.filter(worthALine).slice(-LINES).reverse().map((event, place) => (
          <Line key={place} event={event} />
        ))}
      </ol>
      <footer class="job-foot">
        {alive ? (
          <button
            type="button"
            class="button"
            data-testid="cancel"
            disabled={job.cancel}
            onClick={() => change("cancel")}
          >
            {job.cancel ? t.stopping : t.cancel}
          </button>
        ) : (
          job.state !== "finished" && (
            <button type="button" class="button" data-testid="resume" onClick={() => change("resume")}>
              {t.resume}
            </button>
          )
        )}
      </footer>
      <Refusal error={refusal} />
    </section>
  );
}

function Line({ event }: { event: JobEvent }) {
  const clock = new Date(event.at * 1000).toLocaleTimeString("en-GB");
  return (
    <li>
      <time>{clock}</time> {words(event)}
    </li>
  );
}

function words({ kind, state, text, epoch, epochs, metrics }: JobEvent): string {
  if (kind === "state") return t.states[state!];
  if (kind === "note") return text ?? "";
  return `${t.epoch(epoch!, epochs!)}  ${figures({ metrics })}`;
}

function figures({ metrics }: Pick<JobEvent, "metrics">): string {
  return Object.entries(metrics ?? {})
    .filter(([name, value]) => value !== null && name !== "step")
    .map(([name, value]) => `${t.metric(name)} ${metric(name, value!)}`)
    .join("  ");
}

function worthALine({ kind }: JobEvent): boolean {
  return kind === "state" || kind === "note" || kind === "epoch";
}

function last<T>(events: JobEvent[], what: (event: JobEvent) => T | undefined): T | undefined {
  for (let place = events.length - 1; place >= 0; place--) {
    const found = what(events[place]!);
    if (found !== undefined) return found;
  }
  return undefined;
}
