// The microphone: samples as they come, until it is stopped. What browsers do to please the ear
// (echo, noise, levels) is asked to be left out, as the model's recordings were not so treated.
import type { Clip } from "./clip";

const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage(channel.slice());
    return true;
  }
});`;
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export class Microphone {
  private readonly context: AudioContext;
  private readonly stream: MediaStream;
  private readonly parts: Float32Array[] = [];
  private count = 0;

  private constructor(stream: MediaStream, context: AudioContext) {
    this.stream = stream;
    this.context = context;
  }

  /** Asks the person, and begins. Rejects with a DOMException where there is no microphone to use. */
  static async open(): Promise<Microphone> {
    // Only a page over HTTPS or of this machine may ask.
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
    const context = new AudioContext();
    const microphone = new Microphone(stream, context);
    try {
      await microphone.listen();
    } catch (error) {
      microphone.close();
      throw error;
    }
    return microphone;
  }

  private async listen(): Promise<void> {
    const address = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await this.context.audioWorklet.addModule(address).finally(() => URL.revokeObjectURL(address));
    const tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
      this.parts.push(data);
      this.count += data.length;
    };
    this.context.createMediaStreamSource(this.stream).connect(tap);
    await this.context.resume();
  }

  /** All that was heard so far, at the microphone's own rate. */
  all(): Clip {
    return this.last(this.count / this.context.sampleRate);
  }

  /** The last seconds, with silence before them where it has not listened for so long. */
  last(seconds: number): Clip {
    const rate = this.context.sampleRate;
    const samples = new Float32Array(Math.round(seconds * rate));
    let end = samples.length;
    for (let part = this.parts.length - 1; part >= 0 && end > 0; part--) {
      const piece = this.parts[part]!.slice(-end);
      end -= piece.length;
      samples.set(piece, end);
    }
    return { samples, rate };
  }

  close(): void {
    this.stream.getTracks().forEach((track) => track.stop());
    void this.context.close();
  }
}
