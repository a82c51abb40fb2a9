// One round as plain data: what is asked, what was answered, what it was worth. Every change gives
// a new one; when it is now, and chance, come from outside.
import type { Random } from "./random";
import { answerOf, levelAfter, nextTask, type Task } from "./task";

export const ROUND_MS = 20_000;
const POINTS = 10;
const MORE = 2;
const MOST_STREAK = 5;

export type Phase = "ready" | "playing" | "over";

export interface Round {
  phase: Phase;
  task: Task;
  /** When it began. */
  since: number;
  score: number;
  /** Right answers since the last wrong one, and the most there were. */
  streak: number;
  longest: number;
  solved: number;
  missed: number;
}

/** What an answer that follows `streak` right ones is worth. */
export function points(streak: number): number {
  return POINTS + MORE * Math.min(streak, MOST_STREAK);
}

/** Before the first round: a task to look at, and nothing at stake. */
export function ready(random: Random): Round {
  const task = nextTask(random, 0);
  return { phase: "ready", task, since: 0, score: 0, streak: 0, longest: 0, solved: 0, missed: 0 };
}

export function begin(random: Random, now: number): Round {
  return { ...ready(random), phase: "playing", since: now };
}

export function left(round: Round, now: number): number {
  if (round.phase === "ready") return ROUND_MS;
  return round.phase === "over" ? 0 : Math.max(0, round.since + ROUND_MS - now);
}

/** Ends the round when its time is up. */
export function passed(round: Round, now: number): Round {
  return round.phase === "playing" && left(round, now) === 0 ? { ...round, phase: "over" } : round;
}

/** A digit was answered: a right one scores and the next task comes, after a wrong one it stays. */
export function answered(round: Round, digit: number, random: Random): Round {
  if (round.phase !== "playing") return round;
  if (digit !== answerOf(round.task)) return { ...round, streak: 0, missed: round.missed + 1 };
  const solved = round.solved + 1;
  const streak = round.streak + 1;
  return {
    ...round,
    task: nextTask(random, levelAfter(solved), round.task),
    score: round.score + points(round.streak),
    streak,
    longest: Math.max(round.longest, streak),
    solved,
  };
}

/** Another task, without a point and without a loss. */
export function skipped(round: Round, random: Random): Round {
  if (round.phase !== "playing") return round;
  return { ...round, task: nextTask(random, levelAfter(round.solved), round.task) };
}
