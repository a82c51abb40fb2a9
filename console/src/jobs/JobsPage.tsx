// Trainings: a form to start one, the list of all, and the chosen one as it goes.
import { useJobs } from "../live/useJobs";
import { KeyAsked } from "../page/KeyAsked";
import { Away, AwayNote, Loading } from "../page/States";
import { strings } from "../strings";
import { Refusal } from "../try/Refusal";
import { JobPanel } from "./JobPanel";
import { JobRow } from "./JobRow";
import { NewJobForm } from "./NewJobForm";

const t = strings.jobs;

export function JobsPage({ id }: { id: string }) {
  const { jobs, away, refused, look } = useJobs();
  const chosen = jobs?.find((job) => job.id === id) ?? jobs?.[0];
  if (refused?.unknown) return <KeyAsked refused={refused} onKey={look} />;
  if (refused && !jobs) return <Refusal error={refused} />;
  if (!jobs) return away ? <Away /> : <Loading />;
  return (
    <>
      {away && <AwayNote />}
      <div class="jobs">
        <div class="jobs-side">
          <NewJobForm
            onStarted={(job) => {
              location.hash = `/jobs/${job.id}`;
              look();
            }}
          />
          <section aria-label={t.list}>
            <h2>{t.list}</h2>
            {jobs.length === 0 && <p class="faint">{t.none}</p>}
            <ul class="job-list" data-testid="jobs">
              {jobs.map((job) => (
                <JobRow key={job.id} job={job} chosen={job.id === chosen?.id} />
              ))}
            </ul>
          </section>
        </div>
        {chosen && <JobPanel key={chosen.id} job={chosen} onChange={look} />}
      </div>
    </>
  );
}
