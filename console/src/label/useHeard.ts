// The sound that is to be labelled: its samples to look at, and its player.
import { useEffect, useState } from "preact/hooks";
import type { Shown } from "../api/label";
import { type Clip, unpack } from "../sound/clip";
import { usePlayer } from "../sound/usePlayer";
import type { Heard } from "./RowShown";

/** `atOnce`: it begins by itself. */
export function useHeard(shown: Shown | null, atOnce: boolean): Heard {
  const address = shown?.type === "sound" ? shown.address : null;
  const [clip, setClip] = useState<Clip | null>(null);
  useEffect(() => {
    let gone = false;
    setClip(null);
    const read = async () => {
      const file = address && (await (await fetch(address)).arrayBuffer());
      if (file && !gone) setClip(unpack(file));
    };
    void read();
    return () => {
      gone = true;
    };
  }, [address]);
  return { clip, player: usePlayer(address, atOnce) };
}
