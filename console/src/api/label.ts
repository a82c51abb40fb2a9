// The calls of the labelling page, to the little server behind `numen data label`.
import { call } from "./server";

export interface Row {
  key: string;
  origin: string;
  /** From 0, sure, to 1. */
  doubt: number;
  guesses: { label: string; probability: number }[];
  shown: Shown;
}

/** What is to be labelled; an address holds the picture or the sound itself. */
export type Shown =
  | { type: "picture"; address: string }
  | { type: "sound"; address: string }
  | { type: "text"; text: string; more: number }
  | { type: "fields"; fields: Record<string, string | null> };

export interface Labelling {
  dataset: string;
  model: string;
  labels: string[];
  total: number;
  labelled: number;
  skipped: number;
  row: Row | null;
  /** The version that was added just now. */
  added?: string | null;
}

export function lookAtLabels(): Promise<Labelling> {
  return call("api/label");
}

const WRITING_MS = 3_600_000; // a large data set is written anew

function post(path: string, body?: unknown, patience?: number): Promise<Labelling> {
  const headers = { "Content-Type": "application/json" };
  const sent = body === undefined ? null : JSON.stringify(body);
  return call(path, { method: "POST", headers, body: sent }, patience);
}

/** Null passes the row over. */
export function giveLabel(key: string, label: string | null): Promise<Labelling> {
  return post("api/label", { key, label });
}

export function undoLabel(): Promise<Labelling> {
  return post("api/label/undo");
}

export function finishLabels(): Promise<Labelling> {
  return post("api/label/finish", undefined, WRITING_MS);
}

const KEYS = "1234567890qwertyiopadfghjklzxcvbnm"; // S skips, U undoes

/** The key on the keyboard for each label: itself where all are one sign, else by place. */
export function keysOf(labels: string[]): (string | null)[] {
  const own = labels.map((label) => label.toLowerCase());
  if (own.every((key) => /^[\da-z]$/.test(key)) && new Set(own).size === own.length) return own;
  return labels.map((_, place) => KEYS[place] ?? null);
}
