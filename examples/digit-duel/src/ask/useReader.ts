// A reader for as long as the page is open, and what it says as the page's state.
import { type LocalModel, Numen, type NumenError } from "numen";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Reading } from "../game/reading";
import { type Drawing, type Heat, Reader, type State } from "./reader";
import { Wire } from "./wire";

/** What was read, and of which drawing. */
export interface Read {
  reading: Reading | null;
  drawing: Drawing;
}

/** The model on the device, fetched with what runs it when it is needed and not before. */
async function load(numen: Numen, model: string): Promise<LocalModel & { version: string }> {
  const { local } = await import("numen/local");
  return local(numen, model);
}

export function useReader(url: string, model: string, key: string, why: boolean) {
  const wire = useMemo(() => new Wire(), []);
  const reader = useRef<Reader | null>(null);
  const [read, setRead] = useState<Read | null>(null);
  const [heat, setHeat] = useState<Heat | null>(null);
  const [state, setState] = useState<State>({ online: false, looking: true, here: "" });
  const [refused, setRefused] = useState<NumenError | null>(null);
  const [cut, setCut] = useState(false);

  useEffect(() => {
    const numen = new Numen(url, { key, fetch: wire.fetch, webSocket: wire.webSocket });
    const made = new Reader(
      numen,
      model,
      {
        onReading: (reading, drawing) => setRead({ reading, drawing }),
        onHeat: setHeat,
        onState: setState,
        onRefused: setRefused,
      },
      load,
    );
    reader.current = made;
    return () => made.close();
  }, [url, model, key]);

  useEffect(() => {
    if (reader.current) reader.current.why = why;
    if (!why) setHeat(null);
  }, [why]);

  return {
    read,
    heat,
    reach: { ...state, cut },
    refused,
    fetch: wire.fetch,
    ask: (drawing: Drawing) => reader.current?.ask(drawing),
    forget: () => {
      reader.current?.forget();
      setRead(null);
      setHeat(null);
    },
    cut: (wanted: boolean) => {
      wire.cut = wanted;
      setCut(wanted);
      if (wanted) setHeat(null);
      else reader.current?.reopen();
    },
    /** After a version was promoted: it is wanted here too. */
    renew: () => void reader.current?.bring(),
  };
}
