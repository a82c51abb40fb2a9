// What is asked of the server's control API: keep corrections, train, compare, promote.

export interface Correction {
  /** The digit as the model saw it: 28 rows of 28, from 0 to 255. */
  pixels: number[][];
  /** What it was. */
  label: string;
  /** What it was read as. */
  read: string;
}

export interface Kept {
  name: string;
  version: number;
  added: number;
}

export interface Job {
  id: string;
  state: string;
  result: { version: number | null } | null;
  error: { error: string; hint?: string } | null;
}

/** How two versions did on the same rows; the one asked about is the first. */
export interface Compared {
  rows: number;
  metrics: { accuracy: number };
  against: { metrics: { accuracy: number } };
  /** Which is better beyond chance, by figure; empty where that may be chance. */
  comparison: { differences: { metric: string; better: "first" | "second" | "" }[] };
}

export class Refused extends Error {
  readonly hint: string;

  constructor(status: number, { error, hint }: { error?: string; hint?: string }) {
    super(error ?? `status ${status}`);
    this.hint = hint ?? "";
  }
}

/** How often each correction stands among the training rows, so that ten of them count. */
const TIMES = 40;
/** The recipe of learning anew: the first version's layers as they are, those behind them learnt. */
const RECIPE = {
  family: "transfer",
  params: { units: 128 },
  epochs: 6,
  batch_size: 256,
  learning_rate: 0.003,
} as const;
const NOTE = "said in Digit Duel";
const ALIAS = "champion";

export class Control {
  private readonly url: string;
  private readonly fetch: typeof fetch;
  private readonly headers: Record<string, string>;

  constructor(url: string, own: typeof fetch, key: string) {
    this.url = url;
    this.fetch = own;
    this.headers = key ? { authorization: `Bearer ${key}` } : {};
  }

  card(model: string): Promise<{ version: string; versions: string[]; dataset: string }> {
    return this.call("GET", `api/models/${model}`);
  }

  /** Adds them to the data's newest version: sent twice, they count once. */
  async keep(dataset: string, corrections: Correction[]): Promise<Kept> {
    const { datasets } = await this.call<{ datasets: { name: string; version: number }[] }>("GET", "api/datasets");
    const base = datasets.find(({ name }) => name === dataset)?.version;
    const rows = corrections.map(({ pixels, label }) => ({ value: pixels, label }));
    return this.call("POST", `api/datasets/${dataset}/rows`, { rows, times: TIMES, base, note: NOTE });
  }

  train(model: string, data: string, body: string): Promise<Job> {
    return this.call("POST", "api/jobs", { ...RECIPE, name: model, data, body });
  }

  job(id: string): Promise<Job> {
    return this.call("GET", `api/jobs/${id}`);
  }

  /** Rows of the test split, or, with `since`, those that were added after that version. */
  compare(model: string, first: string, second: string, data: string, since?: number): Promise<Compared> {
    const which = since === undefined ? {} : { since };
    return this.call("POST", `api/models/${model}/evaluate`, { version: Number(first), against: Number(second), data, ...which });
  }

  promote(model: string, version: string): Promise<unknown> {
    return this.call("PUT", `api/models/${model}/aliases/${ALIAS}`, { version: Number(version) });
  }

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const reply = await this.fetch(`${this.url}/${path}`, {
      method,
      headers: { ...this.headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Refused(reply.status, said);
    return said as T;
  }
}
