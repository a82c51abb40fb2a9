// Latest wins: one question is in flight; of those asked meanwhile only the newest waits.
// So answers never queue up behind a fast hand, however slow the network.

export class Latest<Question, Answer> {
  private readonly ask: (question: Question) => Promise<Answer>;
  private readonly answered: (answer: Answer) => void;
  private readonly failed: (error: unknown) => void;
  private waiting: { question: Question } | null = null;
  private busy = false;
  private era = 0;

  constructor(
    ask: (question: Question) => Promise<Answer>,
    answered: (answer: Answer) => void,
    failed: (error: unknown) => void,
  ) {
    this.ask = ask;
    this.answered = answered;
    this.failed = failed;
  }

  push(question: Question): void {
    this.waiting = { question };
    if (!this.busy) void this.work();
  }

  /** Forgets what waits and ignores what is still in flight. */
  drop(): void {
    this.waiting = null;
    this.era += 1;
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting) {
      const { question } = this.waiting;
      const era = this.era;
      this.waiting = null;
      try {
        const answer = await this.ask(question);
        if (era === this.era) this.answered(answer);
      } catch (error) {
        if (era === this.era) this.failed(error);
      }
    }
    this.busy = false;
  }
}
