// Which jobs there are, asked every two seconds while the page is shown; and what one of them tells.
import { useEffect, useRef, useState } from "preact/hooks";
import { followJob, listJobs, type Job, type JobEvent } from "../api/jobs";
import { Away, Refused } from "../api/server";

const AGAIN_MS = 2_000;

export interface Jobs {
  /** Null until the server has answered once. */
  jobs: Job[] | null;
  away: boolean;
  refused: Refused | null;
  look: () => void;
}

export function useJobs(): Jobs {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [away, setAway] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const now = useRef(() => {});

  useEffect(() => {
    let timer = 0;
    let gone = false;
    const look = async () => {
      clearTimeout(timer);
      try {
        const found = document.hidden ? null : await listJobs();
        if (gone) return;
        if (found) setJobs(found);
        setAway(false);
        setRefused(null);
      } catch (error) {
        if (gone) return;
        setAway(error instanceof Away);
        setRefused(error instanceof Refused ? error : null);
      }
      clearTimeout(timer);
      timer = window.setTimeout(look, AGAIN_MS);
    };
    now.current = () => void look();
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return { jobs, away, refused, look: () => now.current() };
}

/** All that a job has told so far. It is followed anew when the job is taken up again. */
export function useEvents(id: string, round: number): JobEvent[] {
  const [events, setEvents] = useState<JobEvent[]>([]);
  useEffect(() => {
    const leaving = new AbortController();
    setEvents([]);
    const tell = (more: JobEvent[]) => setEvents((before) => withoutOldSteps([...before, ...more]));
    followJob(id, tell, leaving.signal).catch(() => {});
    return () => leaving.abort();
  }, [id, round]);
  return events;
}

/** A step is worth something only until the next event. */
function withoutOldSteps(events: JobEvent[]): JobEvent[] {
  return events.filter(({ kind }, place) => kind !== "step" || place === events.length - 1);
}
