// Who answers, and by when: the server within the deadline, else the model on the device, else what
// the caller said beforehand.
import { NumenError, type Source, wrapped } from "./errors";

export interface Options<Fallback = unknown> {
  /** Milliseconds within which there is an answer; without it as long as the server takes. */
  deadlineMs?: number;
  /** The answer where there is no other in time: an object, or what makes one of the error. */
  fallback?: Fallback | ((error: NumenError) => Fallback);
  /** Gives up when it aborts. */
  signal?: AbortSignal;
}

/** What every answer says beside what was asked for. */
export interface Answered {
  source: Source;
  /** Milliseconds from the question to the answer. */
  ms: number;
  /** Why it is not the server's: of answers from elsewhere. */
  error?: NumenError;
}

/** A way to answer on the device, and how long that takes. */
export interface Local<Answer> {
  run: () => Promise<Answer>;
  /** Milliseconds it is likely to take; 0 where that is not known. */
  expectedMs: number;
}

/** Milliseconds kept between the end of a local run and the deadline. */
const SPARE_MS = 4;
export const PATIENCE_MS = 30_000;

type Outcome<T> = { value: T } | { error: NumenError };

/**
 * Asks the server, and the others as time runs out.
 *
 * The local run begins when the server has failed, or when only the time is left that it needs; it
 * is not begun where it would come too late and there is a fallback.
 *
 * @throws NumenError there is no answer from anybody; a question that nobody can answer because of
 *   what it is throws as well where no fallback is given.
 */
export async function answered<Answer extends object, Fallback extends object>(
  server: (signal: AbortSignal, leftMs: number | undefined) => Promise<Answer>,
  local: Local<Answer> | null,
  { deadlineMs, fallback, signal }: Options<Fallback>,
): Promise<(Answer | Fallback) & Answered> {
  const began = performance.now();
  const left = () => (deadlineMs === undefined ? Infinity : deadlineMs - (performance.now() - began));
  const said = <T extends object>(value: T, source: Source, error?: NumenError): T & Answered => ({
    ...value,
    source,
    ms: performance.now() - began,
    ...(error ? { error } : {}),
  });
  const abort = new AbortController();
  signal?.addEventListener("abort", () => abort.abort(signal.reason), { once: true });
  if (signal?.aborted) abort.abort(signal.reason);

  const asking = settled(server(abort.signal, deadlineMs), "unreachable");
  const patience = local ? left() - 2 * local.expectedMs - SPARE_MS : left(); // a slow run is in time too
  const heard = await within([asking], Math.min(patience, PATIENCE_MS));
  if (heard && "value" in heard) return said(heard.value, "server");

  let why = heard?.error ?? tooLate(deadlineMs ?? PATIENCE_MS);
  if (signal?.aborted) why = new NumenError("cancelled", "the question was taken back", { cause: signal.reason });
  const open = !signal?.aborted && why.code !== "cancelled";
  if (open && local && !why.asked && (fallback === undefined || left() > local.expectedMs)) {
    const running = settled(local.run(), "internal");
    const late = asking.then<Outcome<Answer> | { server: Answer }>((outcome) => ("value" in outcome ? { server: outcome.value } : running));
    const first = await within<Outcome<Answer> | { server: Answer }>([running, late], fallback === undefined ? Infinity : left());
    if (first && "server" in first) return said(first.server, "server");
    abort.abort();
    if (first && "value" in first) return said(first.value, "local", why);
    if (first) why = first.error.asked ? first.error : why;
  }
  abort.abort();
  if (fallback === undefined || !open) throw why;
  const value = typeof fallback === "function" ? (fallback as (error: NumenError) => Fallback)(why) : fallback;
  return said(value, "fallback", why);
}

async function settled<T>(promise: Promise<T>, code: string): Promise<Outcome<T>> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: wrapped(error, code) };
  }
}

/** The first of them, or null when that takes longer. */
async function within<T>(promises: Promise<T>[], ms: number): Promise<T | null> {
  if (ms === Infinity) return Promise.race(promises);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), Math.max(0, ms));
  });
  try {
    return await Promise.race([...promises, late]);
  } finally {
    clearTimeout(timer);
  }
}

const tooLate = (ms: number) =>
  new NumenError("deadline_exceeded", `expected an answer within ${ms} ms, received none`, {
    hint: "allow more time, or give a fallback",
  });
