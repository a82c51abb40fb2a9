// Recording: what is asked while it runs, and the whole when it ends, by hand or by itself.
import { useEffect, useRef, useState } from "preact/hooks";
import { strings } from "../strings";
import type { Clip } from "./clip";
import { Microphone } from "./microphone";

const TICK_MS = 100;
const LONGEST = 10; // seconds, unless the model hears more
const SHOWN = 3; // seconds of what is heard just now, unless the model hears more

const PROBLEMS: Record<string, string> = {
  NotAllowedError: strings.sound.forbidden,
  NotFoundError: strings.sound.noMicrophone,
  SecurityError: strings.sound.insecure,
};

export interface Recorder {
  /** `asking`: the browser asks the person. */
  state: "idle" | "asking" | "on";
  /** What was heard in the last moments, while it is on. */
  live: Clip | null;
  /** Seconds since it is on. */
  since: number;
  start: () => void;
  stop: () => void;
}

interface Listeners {
  begin: () => void;
  /** Gets what the model would hear now. The next moment waits until it is done. */
  live: (clip: Clip) => Promise<void>;
  done: (recorded: Clip) => Promise<void>;
  failed: (error: Error) => void;
}

/** `length`: seconds that the model hears. */
export function useRecorder(length: number, listeners: Listeners): Recorder {
  const [state, setState] = useState<Recorder["state"]>("idle");
  const [live, setLive] = useState<Clip | null>(null);
  const [since, setSince] = useState(0);
  const latest = useRef(listeners);
  latest.current = listeners;
  const wanted = useRef(false);
  const gone = useRef(false);

  const listen = async (microphone: Microphone): Promise<Clip> => {
    const began = performance.now();
    const limit = Math.max(LONGEST, length);
    for (let now = 0; wanted.current && now < limit; ) {
      await new Promise((wake) => setTimeout(wake, TICK_MS));
      now = (performance.now() - began) / 1000;
      setSince(now);
      setLive(microphone.last(Math.max(SHOWN, length)));
      await latest.current.live(microphone.last(length));
    }
    return microphone.all();
  };
  const start = async () => {
    if (wanted.current) return;
    wanted.current = true;
    latest.current.begin();
    setState("asking");
    let microphone: Microphone | null = null;
    try {
      microphone = await Microphone.open();
      setState("on");
      const recorded = await listen(microphone);
      if (!gone.current) await latest.current.done(recorded);
    } catch (error) {
      const { name, message } = error as Error;
      latest.current.failed(new Error(PROBLEMS[name] ?? message));
    }
    microphone?.close();
    wanted.current = false;
    setLive(null);
    setSince(0);
    setState("idle");
  };
  const stop = () => (wanted.current = false);

  useEffect(
    () => () => {
      gone.current = true;
      wanted.current = false;
    },
    [],
  );
  return { state, live, since, start: () => void start(), stop };
}
