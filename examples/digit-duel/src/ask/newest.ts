// Of what is asked one thing at a time, the newest waits and what it replaces is forgotten. So
// answers keep coming while somebody draws, however fast, and none of them is ever old.

export class Newest<Question> {
  private readonly ask: (question: Question) => Promise<void>;
  private waiting: { question: Question } | null = null;
  private busy = false;

  constructor(ask: (question: Question) => Promise<void>) {
    this.ask = ask;
  }

  push(question: Question): void {
    this.waiting = { question };
    if (!this.busy) void this.work();
  }

  drop(): void {
    this.waiting = null;
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting) {
      const { question } = this.waiting;
      this.waiting = null;
      await this.ask(question);
    }
    this.busy = false;
  }
}
