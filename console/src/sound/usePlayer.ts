// Playing a sound: whether it plays, how far it is, and one verb to start and stop it.
import { useEffect, useRef, useState } from "preact/hooks";

export interface Player {
  playing: boolean;
  /** From 0 to 1. */
  played: number;
  toggle: () => void;
}

/** `address` null is nothing to play; another one stops what plays, and begins `atOnce` itself. */
export function usePlayer(address: string | null, atOnce = false): Player {
  const audio = useRef<HTMLAudioElement | null>(null);
  const [playing, setPlaying] = useState(false);
  const [played, setPlayed] = useState(0);

  useEffect(() => {
    if (!address) return;
    const sound = new Audio(address);
    audio.current = sound;
    sound.onplay = () => setPlaying(true);
    sound.onpause = () => setPlaying(false);
    sound.onended = () => setPlayed(0);
    let frame = 0;
    const follow = () => {
      if (!sound.paused) setPlayed(sound.currentTime / (sound.duration || 1));
      frame = requestAnimationFrame(follow);
    };
    follow();
    if (atOnce) play(sound);
    return () => {
      cancelAnimationFrame(frame);
      sound.onplay = sound.onpause = sound.onended = null;
      sound.pause();
      audio.current = null;
      setPlaying(false);
      setPlayed(0);
    };
  }, [address]);

  const toggle = () => {
    const sound = audio.current;
    if (!sound) return;
    if (!sound.paused) return sound.pause();
    play(sound);
  };
  return { playing, played, toggle };
}

/** Browsers refuse to before the page was touched; then it waits to be asked. */
function play(sound: HTMLAudioElement): void {
  sound.play().catch(() => {});
}
