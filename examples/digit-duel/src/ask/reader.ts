// Asks the model about a drawing while it is drawn: the server over a WebSocket, in 100 ms, or else
// the model on this device. Behind each answer, and only then, it asks why.
import { centre, type Centred, type LocalModel, Numen, type NumenError, type Stream } from "numen";
import type { Plane } from "../draw/sheet";
import { type Reading, readingOf } from "../game/reading";
import { Newest } from "./newest";

export const DEADLINE_MS = 100;
const PATIENCE_MS = 1_000; // of what explains; the first who asks waits until it is opened
const AGAIN_MS = 50;
const LOOK_MS = 3_000;
const LOOKING_MS = 2_000;
const SIDE = 28;

/** A drawing to be read. */
export interface Drawing {
  plane: Plane;
  /** What the model sees, and which part of the paper that is. */
  seen: Centred;
  /** Of the pen's last move, as `performance.now` has it. */
  since: number;
}

export interface Heat {
  values: ArrayLike<number>;
  drawing: Drawing;
}

/** How a reader reaches what reads. */
export interface State {
  /** The server is in reach. */
  online: boolean;
  /** It is being looked for, and may be found in a moment. */
  looking: boolean;
  /** The version on this device; empty while there is none. */
  here: string;
}

/** What a reader tells. */
export interface Hearing {
  onReading: (reading: Reading | null, drawing: Drawing) => void;
  onHeat: (heat: Heat | null) => void;
  /** Whether the server is in reach, and which version is on this device. */
  onState: (state: State) => void;
  /** Why nothing can be read at all, such as `not_found` or `unauthenticated`. */
  onRefused: (error: NumenError | null) => void;
}

/** The model on the device, as the page loads it. */
export type Load = (numen: Numen, model: string) => Promise<LocalModel & { version: string }>;

/** A drawing as the model sees it; null where there is no ink. */
export function drawingOf(plane: Plane, since: number): Drawing | null {
  const seen = centre({ ...plane, channels: 1 }, SIDE, SIDE);
  return seen && { plane, seen, since };
}

export class Reader {
  /** Whether heat maps are wanted. */
  why = true;
  private readonly numen: Numen;
  private readonly model: string;
  private stream: Stream;
  private readonly hearing: Hearing;
  private readonly load: Load;
  private readonly questions = new Newest<Drawing>((drawing) => this.read(drawing));
  private readonly whys = new Newest<Drawing>((drawing) => this.explain(drawing));
  private latest: Drawing | null = null;
  private online = false;
  private looking = true;
  private here = "";
  private loading = false;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(numen: Numen, model: string, hearing: Hearing, load: Load) {
    this.numen = numen;
    this.model = model;
    this.hearing = hearing;
    this.load = load;
    this.stream = this.open();
    // A version that was promoted meanwhile is brought here too.
    this.timer = setInterval(() => void this.bring(), LOOK_MS);
    void this.look();
  }

  /** Looks for the server at once, where it was given up for a while. */
  reopen(): void {
    this.stream.close();
    this.stream = this.open();
    this.tell();
  }

  ask(drawing: Drawing): void {
    this.latest = drawing;
    this.questions.push(drawing);
  }

  forget(): void {
    this.latest = null;
    this.questions.drop();
    this.whys.drop();
  }

  close(): void {
    this.forget();
    clearInterval(this.timer);
    this.stream.close();
  }

  /** Brings the model here, where another version than the one that is here answers. */
  async bring(): Promise<void> {
    if (this.loading || !this.online) return;
    this.loading = true;
    try {
      const { version } = await this.numen.bundle(this.model);
      if (version !== this.here) {
        const model = await this.load(this.numen, this.model);
        this.numen.attach(model);
        this.here = model.version;
      }
    } catch {
      // The server reads on; the next look tries again.
    } finally {
      this.loading = false;
      this.tell();
    }
  }

  private open(): Stream {
    this.looking = true;
    setTimeout(() => {
      this.looking = false;
      this.tell();
    }, LOOKING_MS);
    return this.numen.stream(this.model, {
      latest: true,
      onState: (open) => {
        this.online = open;
        this.tell();
        if (open) void this.bring();
        else this.hearing.onHeat(null);
      },
    });
  }

  /** Whether there is such a model, and it may be asked. */
  private async look(): Promise<void> {
    try {
      await this.numen.bundle(this.model);
      this.hearing.onRefused(null);
    } catch (error) {
      const known = error as NumenError;
      if (known.status) this.hearing.onRefused(known);
    }
  }

  private async read(drawing: Drawing): Promise<void> {
    let reading: Reading | null = null;
    try {
      const answer = await this.stream.predict(drawing.plane, {
        deadlineMs: DEADLINE_MS,
        top: 10,
        fallback: { top: [] },
      });
      reading = readingOf(answer);
    } catch {
      // A newer drawing took its place.
    }
    if (this.latest === null) return;
    if (!reading) {
      if (this.latest !== drawing) return;
      this.hearing.onReading(null, drawing);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (this.latest === drawing) this.questions.push(drawing);
      return;
    }
    this.hearing.onReading(reading, drawing);
    if (this.why && reading.source === "server") this.whys.push(drawing);
  }

  private async explain(drawing: Drawing): Promise<void> {
    try {
      const { attributions } = await this.stream.explain(drawing.plane, { deadlineMs: PATIENCE_MS });
      const [values] = Object.values(attributions);
      if (values && this.latest) this.hearing.onHeat({ values: values.data as ArrayLike<number>, drawing });
    } catch {
      // Nothing explains it now; the bars are there all the same.
    }
  }

  private tell(): void {
    this.hearing.onState({ online: this.online, looking: this.looking, here: this.here });
  }
}
