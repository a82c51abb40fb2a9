// Speak, or give a file, and see what the model hears: while the microphone is on it answers to the
// last moments, afterwards to the marked part of the recording.
import { useMemo, useRef, useState } from "preact/hooks";
import type { AudioInput } from "../api/card";
import { useAddress } from "../live/useAddress";
import { useModel } from "../live/useModel";
import { withFile } from "../model/question";
import { type Clip, cut, decode, onset, wav } from "../sound/clip";
import { usePlayer } from "../sound/usePlayer";
import { useRecorder } from "../sound/useRecorder";
import { BARS } from "../sound/Waveform";
import { strings } from "../strings";
import { Legend } from "../why/Legend";
import { perPiece } from "../why/parts";
import { WhyPanel } from "../why/WhyPanel";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { useDrop } from "./files";
import { Refusal } from "./Refusal";
import { Controls, Stage, told } from "./SoundStage";
import { TryHead } from "./TryHead";
import { useClearKeys } from "./useClearKeys";

const t = strings.sound;
const SENT_AS_IT_IS = 4 << 20; // bytes of a WAV file

/** A sound to be asked about. */
interface Heard {
  clip: Clip;
  /** The first sample that the model hears. */
  start: number;
  /** Where it comes from, if from a WAV file: as long as nothing is left out before, it is sent. */
  file: File | null;
}

export function SoundTry({ card, alive, onAway, how }: Attempt & { how: AudioInput }) {
  const { reading, trip, refusal, why, ask, forget } = useModel<Heard | null>(card, alive, onAway);
  const [heard, setHeard] = useState<Heard | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  const turn = useRef(0); // of two files, the one given last counts
  const length = how.samples / how.rate;

  const hear = (now: Heard) => {
    setHeard(now);
    const count = Math.round(length * now.clip.rate);
    const file = now.start || !now.file ? wav(cut(now.clip, now.start, count)) : now.file;
    ask(withFile(file, "audio/wav", now));
  };
  const clear = () => {
    turn.current += 1;
    setHeard(null);
    setProblem(null);
    forget();
  };
  const recorder = useRecorder(length, {
    begin: clear,
    live: async (clip) => {
      const file = wav(await decode(wav(clip), how.rate));
      // The moment is gone before it is explained.
      ask({ ...withFile(file, "audio/wav", null), input: null });
    },
    done: async (recorded) => {
      const clip = await decode(wav(recorded), how.rate);
      if (!clip.samples.some((value) => Math.abs(value) > 1e-3)) setProblem(new Error(t.silent));
      hear({ clip, start: onset(clip, Math.round(length * clip.rate)), file: null });
    },
    failed: setProblem,
  });
  const played = useMemo(() => heard && wav(heard.clip), [heard?.clip]);
  const player = usePlayer(useAddress(played));
  const idle = recorder.state === "idle";
  useClearKeys(() => idle && clear());

  const open = async (file: File | undefined) => {
    if (!file) return;
    clear();
    const mine = turn.current;
    const whole = /\.wav$/i.test(file.name) && file.size <= SENT_AS_IT_IS;
    try {
      const clip = await decode(file, how.rate);
      if (mine === turn.current) hear({ clip, start: 0, file: whole ? file : null });
    } catch {
      if (mine === turn.current) setProblem(new Error(t.unreadable(file.name)));
    }
  };
  const { over, ...drop } = useDrop((file) => idle && void open(file));

  const explained = idle && heard && why.told?.given === heard ? why.told : null;

  return (
    <section class={over ? "try over" : "try"} aria-label={t.title} {...drop}>
      <TryHead title={t.title} why={why} trip={trip} />
      <div class="side-by-side">
        <div class="giving">
          <Stage
            clip={recorder.live ?? heard?.clip ?? null}
            length={length}
            start={heard?.start ?? 0}
            live={!idle}
            played={player.played}
            spoke={explained && spoke(explained.attribution.values, heard!, how)}
            move={(start) => hear({ ...heard!, start })}
          />
          <div class="sound-told">
            <p class={idle ? "faint" : "faint on"} aria-hidden="true" data-testid="told">
              {told(heard?.clip ?? null, length, recorder)}
            </p>
            <p class="unseen" role="status">
              {recorder.state === "on" ? t.listening : told(heard?.clip ?? null, length, recorder)}
            </p>
            <button
              type="button"
              class="button small"
              disabled={!heard || !idle}
              data-testid="clear"
              onClick={clear}
            >
              {strings.attempt.clear} <kbd>Esc</kbd>
            </button>
          </div>
          <Controls recorder={recorder} player={player} empty={!heard} open={open} />
          <Refusal error={problem ?? refusal} />
        </div>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel card={card} why={why} show={(attribution) => <Legend attribution={attribution} />} />
    </section>
  );
}

/** What each bar of a sound's picture has: those outside of what was heard have nothing. */
function spoke(values: number[], { clip, start }: Heard, { rate }: AudioInput): number[] {
  const edges = Array.from({ length: BARS + 1 }, (_, bar) => {
    return (((bar * clip.samples.length) / BARS - start) * rate) / clip.rate;
  });
  return perPiece(values, edges);
}
