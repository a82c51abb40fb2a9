// A few tones, made here and only when somebody turned sound on.

/** Pitches in Hz, one after the other, and how long each lasts in seconds. */
const TUNES = {
  right: { pitches: [659, 988], lasts: 0.09 },
  wrong: { pitches: [233, 185], lasts: 0.14 },
  begin: { pitches: [523, 659, 784], lasts: 0.08 },
  over: { pitches: [784, 659, 523, 392], lasts: 0.13 },
  tick: { pitches: [1175], lasts: 0.03 },
} as const;

export type Tune = keyof typeof TUNES;

const LOUD = 0.12;
let context: AudioContext | null = null;

export function play(tune: Tune): void {
  context ??= new AudioContext();
  void context.resume();
  const { pitches, lasts } = TUNES[tune];
  pitches.forEach((pitch, place) => tone(context!, pitch, context!.currentTime + place * lasts, lasts));
}

function tone(audio: AudioContext, pitch: number, at: number, lasts: number): void {
  const voice = audio.createOscillator();
  const volume = audio.createGain();
  voice.type = "triangle";
  voice.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUD, at + 0.01);
  volume.gain.exponentialRampToValueAtTime(0.001, at + lasts + 0.12);
  voice.connect(volume).connect(audio.destination);
  voice.start(at);
  voice.stop(at + lasts + 0.15);
}
