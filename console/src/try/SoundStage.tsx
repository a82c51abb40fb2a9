// What is heard: the sound's picture, where the model begins to listen, and the buttons below.
import { type Clip, seconds } from "../sound/clip";
import type { Player } from "../sound/usePlayer";
import type { Recorder } from "../sound/useRecorder";
import { Waveform } from "../sound/Waveform";
import { strings } from "../strings";
import { FileButton } from "./files";

const t = strings.sound;

interface StageProps {
  clip: Clip | null;
  /** Seconds that the model hears, and the first sample of them. */
  length: number;
  start: number;
  live: boolean;
  played: number;
  /** What each bar spoke for, if that is known. */
  spoke: number[] | null;
  move: (start: number) => void;
}

export function Stage({ clip, length, start, live, played, spoke, move }: StageProps) {
  if (!clip) return <div class="stage"><p class="stage-hint">{t.hint}</p></div>;
  const count = Math.round(length * clip.rate);
  const room = clip.samples.length - count;
  const from = live ? Math.max(room, 0) : start;
  return (
    <div class="stage">
      <Waveform clip={clip} from={from} to={from + count} played={played} spoke={spoke} />
      {!live && room > 0 && (
        <input
          type="range"
          min={0}
          max={room}
          step={Math.ceil(clip.rate / 100)}
          value={start}
          aria-label={t.from}
          title={t.from}
          aria-valuetext={t.part(start / clip.rate, start / clip.rate + length)}
          data-testid="heard-from"
          onInput={(event) => move(event.currentTarget.valueAsNumber)}
        />
      )}
    </div>
  );
}

/** What is going on, in words. */
export function told(clip: Clip | null, length: number, recorder: Recorder): string {
  if (recorder.state === "asking") return t.asking;
  if (recorder.state === "on") return t.recording(recorder.since);
  if (!clip) return t.hears(length);
  return seconds(clip) > length + 0.005 ? t.longer(seconds(clip), length) : t.lasts(seconds(clip));
}

interface ControlsProps {
  recorder: Recorder;
  player: Player;
  empty: boolean;
  open: (file: File | undefined) => void;
}

export function Controls({ recorder, player, empty, open }: ControlsProps) {
  const idle = recorder.state === "idle";
  return (
    <div class="stage-foot">
      {idle ? (
        <button type="button" class="button primary record" data-testid="record" onClick={recorder.start}>
          {t.record}
        </button>
      ) : (
        <button
          type="button"
          class="button stop"
          disabled={recorder.state === "asking"}
          data-testid="stop"
          onClick={recorder.stop}
        >
          {t.stop}
        </button>
      )}
      <FileButton label={strings.attempt.file} accept="audio/*,.wav" disabled={!idle} open={open} />
      <button
        type="button"
        class="button"
        disabled={empty || !idle}
        data-testid="play"
        onClick={player.toggle}
      >
        {player.playing ? t.pause : t.play}
      </button>
    </div>
  );
}
