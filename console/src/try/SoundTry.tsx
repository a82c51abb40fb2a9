// Speak, or give a file, and see what the model hears: while the microphone is on it answers to the
// last moments, afterwards to the marked part of the recording.
import { useMemo, useState } from "preact/hooks";
import type { AudioInput } from "../api/card";
import { useModel } from "../live/useModel";
import { withFile } from "../model/question";
import { type Clip, cut, decode, loudest, wav } from "../sound/clip";
import { useAddress, usePlayer } from "../sound/usePlayer";
import { useRecorder } from "../sound/useRecorder";
import { strings } from "../strings";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";
import { Controls, Stage, told } from "./SoundStage";
import { useClearKeys } from "./useClearKeys";

const t = strings.sound;
const SENT_AS_IT_IS = 16 << 20; // bytes of a WAV file

/** A sound to be asked about. */
interface Heard {
  clip: Clip;
  /** The first sample that the model hears. */
  start: number;
  /** Where it comes from, if from a WAV file: as long as nothing is left out before, it is sent. */
  file: File | null;
}

export function SoundTry({ card, alive, onAway, how }: Attempt & { how: AudioInput }) {
  const { reading, trip, refusal, ask, forget } = useModel(card, alive, onAway);
  const [heard, setHeard] = useState<Heard | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  const [over, setOver] = useState(false);
  const labels = card.postprocess?.type === "classification" ? card.postprocess.labels : [];
  const length = how.samples / how.rate;

  const hear = (now: Heard) => {
    setHeard(now);
    const count = Math.round(length * now.clip.rate);
    const file = now.start || !now.file ? wav(cut(now.clip, now.start, count)) : now.file;
    ask(withFile(file, "audio/wav"));
  };
  const clear = () => {
    setHeard(null);
    setProblem(null);
    forget();
  };
  const recorder = useRecorder(length, {
    begin: clear,
    live: async (clip) => ask(withFile(wav(await decode(wav(clip), how.rate)), "audio/wav")),
    done: async (recorded) => {
      const clip = await decode(wav(recorded), how.rate);
      if (!clip.samples.some((value) => Math.abs(value) > 1e-3)) setProblem(new Error(t.silent));
      hear({ clip, start: loudest(clip.samples, Math.round(length * clip.rate)), file: null });
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
    const whole = /\.wav$/i.test(file.name) && file.size <= SENT_AS_IT_IS;
    try {
      hear({ clip: await decode(file, how.rate), start: 0, file: whole ? file : null });
    } catch {
      setProblem(new Error(t.unreadable(file.name)));
    }
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (idle) void open(event.dataTransfer?.files[0]);
  };
  const dragged = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };

  return (
    <section
      class={`try ${over ? "over" : ""}`}
      aria-label={t.title}
      onDragOver={dragged}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
    >
      <header class="try-head">
        <h2>{t.title}</h2>
        <RoundTripTime trip={trip} />
      </header>
      <div class="side-by-side">
        <div class="hearing">
          <Stage
            clip={recorder.live ?? heard?.clip ?? null}
            length={length}
            start={heard?.start ?? 0}
            live={!idle}
            played={player.played}
            move={(start) => hear({ ...heard!, start })}
          />
          <div class="sound-told">
            <p class={idle ? "faint" : "faint on"} role="status" data-testid="told">
              {told(heard?.clip ?? null, length, recorder)}
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
        <Answer labels={labels} reading={reading} />
      </div>
    </section>
  );
}
