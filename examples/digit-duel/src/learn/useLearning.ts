// Corrections as they come, kept until they were taught, and where learning from them stands.
import { useState } from "preact/hooks";
import { keep, recall } from "../game/kept";
import { learn, type Step } from "./learn";
import { Control, type Correction } from "./server";

const MOST = 60;

function areCorrections(value: unknown): value is Correction[] {
  return Array.isArray(value) && value.every((one) => Array.isArray(one?.pixels) && /^\d$/.test(one?.label));
}

export function useLearning(control: Control, model: string, onTaken: () => void) {
  const [corrections, setCorrections] = useState(() => recall("corrections", [], areCorrections));
  const [step, setStep] = useState<Step>({ name: "idle" });

  const change = (next: Correction[]) => {
    setCorrections(next);
    keep("corrections", next);
  };
  const failed = (error: unknown) => {
    const { message, hint = "" } = error as { message: string; hint?: string };
    setStep({ name: "failed", why: message, hint });
  };
  return {
    corrections,
    step,
    add: (correction: Correction) => {
      change([...corrections, correction].slice(-MOST));
      if (step.name !== "training") setStep({ name: "idle" });
    },
    drop: (place: number) => change(corrections.filter((_, at) => at !== place)),
    teach: () => void learn(control, model, corrections, setStep, () => change([])).catch(failed),
    take: (version: string) => {
      const taken = () => {
        setStep({ name: "taken", version });
        onTaken();
      };
      control.promote(model, version).then(taken, failed);
    },
    leave: () => setStep({ name: "left" }),
  };
}

export type Learning = ReturnType<typeof useLearning>;
