// Trainings in the background: the calls, and the stream of what one tells. The stream is read with
// fetch, as the browser's own EventSource cannot send a key.
import { credential } from "./key";
import { call, origin, Refused } from "./server";

export type State = "queued" | "running" | "finished" | "failed" | "cancelled" | "interrupted";

export interface Job {
  id: string;
  model: string;
  state: State;
  recipe: { data?: string; family?: string; epochs?: number };
  created: string;
  started: string | null;
  ended: string | null;
  cancel: boolean;
  result: { name: string | null; version: number | null; metrics: Record<string, number> } | null;
  error: { error: string; hint?: string } | null;
}

export interface JobEvent {
  kind: "state" | "begin" | "step" | "epoch" | "note";
  at: number;
  state?: State;
  epoch?: number;
  epochs?: number;
  metrics?: Record<string, number | null>;
  text?: string;
}

export interface NewJob {
  data: string;
  family?: string;
  name: string;
  epochs?: number;
}

const AGAIN_MS = 1_000;

export async function listJobs(): Promise<Job[]> {
  return (await call<{ jobs: Job[] }>("api/jobs")).jobs;
}

export async function listDatasets(): Promise<string[]> {
  const { datasets } = await call<{ datasets: { name: string }[] }>("api/datasets");
  return datasets.map(({ name }) => name);
}

export function startJob(job: NewJob): Promise<Job> {
  const headers = { "Content-Type": "application/json" };
  return call("api/jobs", { method: "POST", headers, body: JSON.stringify(job) });
}

export function changeJob(id: string, verb: "cancel" | "resume"): Promise<Job> {
  return call(`api/jobs/${id}/${verb}`, { method: "POST" });
}

/** Tells each event of a job as it comes, from the first on, until the job is over. */
export async function followJob(
  id: string,
  tell: (events: JobEvent[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let last = "0";
  while (!signal.aborted) {
    try {
      const headers = { ...credential(), "Last-Event-ID": last };
      const response = await fetch(`${origin()}/api/jobs/${id}/events`, { headers, signal });
      if (response.status === 204) return;
      if (!response.ok || !response.body) {
        throw new Refused(response.status, await response.json().catch(() => ({})));
      }
      for await (const block of blocks(response.body)) {
        const events = parse(block, (id_) => (last = id_));
        if (events.length) tell(events);
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await new Promise((wake) => setTimeout(wake, AGAIN_MS));
  }
}

/** The stream's text, cut where an event ends; several events may be in one piece. */
async function* blocks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as never).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = (await reader.read()) as ReadableStreamReadResult<string>;
    if (done) return;
    rest += value;
    const end = rest.lastIndexOf("\n\n");
    if (end < 0) continue;
    yield rest.slice(0, end);
    rest = rest.slice(end + 2);
  }
}

export function parse(text: string, seen: (id: string) => void): JobEvent[] {
  const events: JobEvent[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("id: ")) seen(line.slice(4));
    else if (line.startsWith("data: ")) events.push(JSON.parse(line.slice(6)));
  }
  return events;
}
